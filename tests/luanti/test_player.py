"""The headless player on real servers: it joins, talks, hears, walks, digs, and is refused like anyone."""

from __future__ import annotations

import asyncio

import pytest

from demo.errors import AccessDenied, ConnectionLost
from demo.player import Player, Vector
from demo.ports import free_port
from demo.server import Server


async def test_new_names_are_registered_and_let_in_again_with_their_passwords(server: Server) -> None:
    # Many at once: about one proof in a hundred has a leading zero byte somewhere.
    names = [f"Player{number}" for number in range(10)]

    async def visit(name: str, password: str) -> None:
        async with await server.join(name, password) as player:
            assert {"interact", "shout"} <= player.privileges
            assert "main" in player.inventory
            assert player.hp == 20

    await asyncio.gather(*(visit(name, f"secret of {name}") for name in names))
    # An engine needs a while to let go of a player, and a restart to forget all but the names.
    await server.stop()
    await server.start()
    with pytest.raises(AccessDenied, match="password") as denied:
        await server.join(names[0], "guess")
    assert denied.value.code == 0
    await asyncio.gather(*(visit(name, f"secret of {name}") for name in names))


async def test_a_name_that_is_not_allowed_is_refused(server: Server) -> None:
    with pytest.raises(AccessDenied) as denied:
        await server.join("not a name!", "secret")
    assert denied.value.code == 4


async def test_a_name_cannot_be_there_twice(server: Server) -> None:
    async with await server.join("alice"):
        with pytest.raises(AccessDenied, match="connected"):
            await server.join("alice")


async def test_two_players_hear_each_other_and_who_comes_and_goes(server: Server) -> None:
    async with await server.join("alice") as alice:
        heard = len(alice.chat)
        async with await server.join("bob") as bob:
            await alice.hear("bob joined the game", since=heard)
            mark = len(bob.chat)
            said = await alice.say("Grüße, Bob 😀")
            line = await bob.hear("Grüße, Bob 😀", since=mark)
            assert line.text == "<alice> Grüße, Bob 😀"
            assert 0 < line.at - said < 5
            await bob.say("hello yourself")
            await alice.hear("<bob> hello yourself")
        await alice.hear("bob left the game")


async def test_a_command_is_answered_to_its_player_only(server: Server) -> None:
    async with (
        await server.join("alice") as alice,
        await server.join("bob") as bob,
    ):
        await alice.say("/privs")
        await alice.hear("interact")
        await alice.say("done")
        await bob.hear("<alice> done")
        assert not any("interact" in line.text for line in bob.chat)


async def test_a_walk_is_seen_by_others(server: Server) -> None:
    async with (
        await server.join("alice") as alice,
        await server.join("bob") as bob,
    ):
        goal = Vector(alice.pos.x + 4, alice.pos.y, alice.pos.z + 3)
        await alice.move_to(*goal)
        assert alice.pos == goal

        def arrived() -> bool:
            seen = bob.entities.player("alice")
            return seen is not None and seen.pos.distance(goal) < 0.3

        await bob.until(arrived, within=5, what="alice at her goal")
        seen = bob.entities.player("alice")
        assert seen is not None
        # Facing 4 east and 3 north: clockwise 53° from north, that is 307° counter-clockwise.
        assert seen.yaw == pytest.approx(306.87, abs=1)


async def test_a_player_who_is_too_fast_is_put_back_by_the_server(server: Server) -> None:
    async with await server.join("alice") as alice:
        start = alice.pos
        # Engines make allowance for a slow line: it takes some seconds.
        run = asyncio.create_task(alice.move_to(start.x + 4000, start.y, start.z, speed=80))
        await alice.until(lambda: alice.placements > 1, within=20, what="being put back")
        run.cancel()
        assert alice.pos.distance(start) < 4000


async def test_a_node_is_placed_and_dug(server: Server) -> None:
    async with await server.join_admin() as admin:

        def dirt() -> int:
            return sum(stack.count for stack in admin.inventory["main"] if stack.name == "default:dirt")

        await admin.say("/revokeme creative")  # else placing costs nothing
        await admin.say("/giveme default:dirt 3")
        await admin.until(lambda: dirt() == 3, within=5, what="three dirt")
        ground = (round(admin.pos.x) + 2, 8, round(admin.pos.z))
        above = (ground[0], 9, ground[2])
        await admin.until(lambda: admin.has_block(ground), within=10, what="the ground")
        admin.look_at(*above)
        admin.place(ground, above)
        await admin.until(lambda: dirt() == 2, within=5, what="two dirt")
        await admin.dig(above, seconds=1.5)
        await admin.until(lambda: dirt() == 3, within=5, what="the dirt back")


async def test_an_entity_is_seen_with_what_happens_to_it(server: Server) -> None:
    async with await server.join_admin() as admin:
        here = (round(admin.pos.x), 9, round(admin.pos.z))
        await admin.until(lambda: admin.has_block(here), within=10, what="the ground")
        await admin.say("/spawnentity boats:boat")
        await admin.until(
            lambda: any(not entity.is_player for entity in admin.entities), within=5, what="an entity"
        )
        thing = next(entity for entity in admin.entities if not entity.is_player)
        assert thing.pos.distance(admin.pos) < 10


async def test_a_form_is_shown_and_answered(server: Server) -> None:
    async with await server.join_admin() as admin:
        await admin.say("/help")
        await admin.until(lambda: admin.forms, within=5, what="a form")
        assert admin.forms[0].name == "__builtin:help_cmds"
        assert "size[" in admin.forms[0].source
        shown = len(admin.forms)
        admin.fields(admin.forms[0].name, {"list": "CHG:1:0"})
        await admin.until(lambda: len(admin.forms) > shown, within=5, what="the form again")
        admin.fields(admin.forms[0].name, {"quit": "true"})


async def test_twenty_players_in_one_process(server: Server) -> None:
    names = [f"player{n}" for n in range(20)]
    players = await asyncio.gather(*(server.join(name) for name in names))
    try:
        marks = [len(player.chat) for player in players]
        await players[0].say("everybody here?")
        await asyncio.gather(
            *(
                player.hear("everybody here?", since=mark, within=20)
                for player, mark in zip(players, marks, strict=True)
            )
        )
    finally:
        await asyncio.gather(*(player.leave() for player in players))


async def test_a_server_that_stops_is_noticed(server: Server) -> None:
    player = await server.join("alice")
    await server.stop()
    with pytest.raises((AccessDenied, ConnectionLost)):
        await player.hear("never said", within=10)


async def test_nobody_at_that_address_is_said_at_once() -> None:
    with pytest.raises(ConnectionLost, match="no server"):
        await Player.join("127.0.0.1", free_port(), "alice", "a", within=5)
