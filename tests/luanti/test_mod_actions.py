"""What NPCs do when told to: done in the world, reported once, and never without right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from agent_runtime.bridge.messages import Chat, Freeze
from demo.engine import Engine
from demo.player import Player, Vector
from tests.support.ingame import Game, body_of, command, make_id

START = Vector(0, 8.6, 0)
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Scene(NamedTuple):
    """A running game, the admin in it, an NPC beside them, and a fresh line to that NPC."""

    game: Game
    admin: Player
    chat: Chat

    async def say_again(self) -> Chat:
        """A new line, for a fresh snapshot."""
        before = len(self.game.heard(Chat))
        await self.admin.say("Mira?")
        return await self.game.message(Chat, since=before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(engine: Engine) -> AsyncIterator[tuple[Game, Player]]:
    async with Game(engine) as game, await game.server.join_admin() as admin:
        yield game, admin


@pytest_asyncio.fixture(loop_scope="module")
async def scene(world: tuple[Game, Player]) -> AsyncIterator[Scene]:
    game, admin = world
    await admin.say("/clearinv")
    await teleport(admin, START)
    before = len(game.heard(Chat))
    await game.spawn(admin)
    await admin.say("Mira?")
    yield Scene(game, admin, await game.message(Chat, since=before))
    await command(admin, "/npc remove Mira", "gone for good")


async def teleport(player: Player, goal: Vector) -> None:
    await player.say(f"/teleport {goal.x},{goal.y},{goal.z}")
    await player.until(lambda: player.pos.distance(goal) < 1, within=5, what=f"being at {goal}")


def count(player: Player, item: str) -> int:
    return sum(stack.count for stack in player.inventory["main"] if stack.name == item)


async def test_give_hands_over_what_is_in_the_bag_and_nothing_more(scene: Scene) -> None:
    game, admin, chat = scene
    given = await game.act(chat, "give", item="default:apple", count=3)
    assert (given.result, given.reason) == ("done", "")
    await admin.until(lambda: count(admin, "default:apple") == 3, within=5, what="three apples")
    more = await game.act(chat, "give", item="default:apple", count=3)
    assert (more.result, more.reason) == ("failed", "only 2 of them in the bag")
    nothing = await game.act(chat, "give", item="default:diamond")
    assert nothing.result == "failed"
    unknown = await game.act(chat, "give", item="no:such")
    assert unknown.result == "failed"
    chat = await scene.say_again()
    assert [(stack.item, stack.count) for stack in chat.snapshot.inventory] == [("default:apple", 2)]
    assert count(admin, "default:apple") == 3


async def test_the_same_action_id_never_acts_twice(scene: Scene) -> None:
    game, admin, chat = scene
    action = make_id()
    first = await game.act(chat, "give", action, item="default:apple")
    again = await game.act(chat, "give", action, item="default:apple")
    assert first == again
    await scene.say_again()
    assert count(admin, "default:apple") == 1


async def test_a_decision_on_an_old_snapshot_is_stale(scene: Scene) -> None:
    game, admin, chat = scene
    for taken in (chat.snapshot.taken - 11, chat.snapshot.taken + 3600):
        assert (await game.act(chat, "give", taken=taken, item="default:apple")).result == "stale"
    await scene.say_again()
    assert count(admin, "default:apple") == 0


async def test_what_the_table_does_not_allow_is_refused(scene: Scene) -> None:
    wrong: list[tuple[str, dict[str, str | int]]] = [
        ("explode", {}),
        ("dig", {"target": "admin"}),
        ("emote", {"kind": "backflip"}),
        ("emote", {}),
        ("give", {"item": "default:apple", "count": 0}),
        ("give", {"item": "default:apple", "count": 100}),
        ("stop", {"target": "admin"}),
        ("look_at", {"target": "admin "}),
    ]
    for name, arguments in wrong:
        assert (await scene.game.act(scene.chat, name, **arguments)).result == "refused", (name, arguments)


async def test_go_to_walks_there_and_reports_the_arrival(scene: Scene) -> None:
    game, admin, _ = scene
    x, y, z = admin.pos
    await admin.move_to(x + 12, y, z)
    await command(admin, "/npc mark mill", "mill")
    await admin.move_to(x + 4, y, z + 4)
    chat = await scene.say_again()
    result = await game.act(chat, "go_to", target="Mill")
    assert result.result == "done"
    mira = await body_of(admin, "Mira")
    await admin.until(lambda: abs(mira.pos.x - x - 12) < 1.5, within=3, what="Mira at the mill")
    await admin.until(lambda: abs(mira.velocity.x) < 0.1, within=3, what="Mira standing still")


async def test_go_to_an_unknown_place_fails(scene: Scene) -> None:
    result = await scene.game.act(scene.chat, "go_to", target="Atlantis")
    assert (result.result, result.reason) == ("failed", "nobody and nothing of that name is here")


async def test_follow_and_stop(scene: Scene) -> None:
    game, admin, chat = scene
    x, y, z = admin.pos
    assert (await game.act(chat, "follow", target="admin")).result == "done"
    await admin.move_to(x + 15, y, z)
    mira = await body_of(admin, "Mira")
    await admin.until(lambda: mira.pos.x > x + 11, within=8, what="Mira behind the admin")
    chat = await scene.say_again()
    assert chat.snapshot.doing == "following admin"
    assert (await game.act(chat, "stop")).result == "done"
    await admin.move_to(x + 25, y, z)
    await asyncio.sleep(0.5)
    assert mira.pos.x < x + 18
    assert (await scene.say_again()).snapshot.doing == ""


async def test_a_walk_leads_around_a_wall(scene: Scene) -> None:
    game, admin, _ = scene
    await teleport(admin, Vector(0, 8.6, 60))
    await command(admin, "/npc move Mira", "Mira is here now")
    x, y, z = (round(part) for part in admin.pos)
    await command(admin, "/giveme default:stone 99", "added")
    wall = [(x + 4, y + up, z + side) for side in range(-3, 4) for up in (0, 1)]
    await admin.move_to(x + 2, admin.pos.y, z)
    await admin.until(lambda: admin.has_block((x + 4, y - 1, z)), within=10, what="the ground")
    for node in wall:
        admin.place((node[0], node[1] - 1, node[2]), node)
        await asyncio.sleep(0.1)
    await admin.move_to(x + 2, admin.pos.y, z + 6)
    await admin.move_to(x + 8, admin.pos.y, z + 6)
    await admin.move_to(x + 8, admin.pos.y, z)
    chat = await scene.say_again()
    result = await game.act(chat, "go_to")
    assert (result.result, result.reason) == ("done", "")
    mira = await body_of(admin, "Mira")
    assert mira.pos.x > x + 5


async def test_look_at_and_emote_are_seen(scene: Scene) -> None:
    game, admin, _ = scene
    x, y, z = admin.pos
    await admin.move_to(x + 4, y, z)
    chat = await scene.say_again()
    assert (await game.act(chat, "look_at", target="admin")).result == "done"
    mira = await body_of(admin, "Mira")
    # East is three quarters around, counter-clockwise from north.
    await admin.until(lambda: abs(mira.yaw % 360 - 270) < 10, within=3, what="Mira facing the admin")
    await command(admin, "/npc mark mill", "mill")
    await admin.move_to(x, y, z + 4)
    chat = await scene.say_again()
    await admin.until(lambda: min(mira.yaw % 360, 360 - mira.yaw % 360) < 10, within=3, what="her attention")
    assert (await game.act(chat, "look_at", target="mill")).result == "done"
    await asyncio.sleep(1)
    assert abs(mira.yaw % 360 - 270) < 10
    mark = len(admin.chat)
    assert (await game.act(chat, "emote", kind="wave")).result == "done"
    await admin.hear("* Mira waves", since=mark)
    await admin.until(lambda: "*waves*" in mira.nametag, within=3, what="the gesture over the head")


async def test_a_frozen_npc_does_nothing(scene: Scene) -> None:
    game, admin, chat = scene
    await game.act(chat, "follow", target="admin")
    game.session.send(Freeze(chat.npc, 3.0, "a test"))
    refused = await game.act(chat, "give", item="default:apple")
    assert (refused.result, refused.reason) == ("refused", "Mira is frozen")
    mira = await body_of(admin, "Mira")
    x = mira.pos.x
    frozen = time.monotonic()
    await admin.move_to(admin.pos.x + 6, admin.pos.y, admin.pos.z)
    assert time.monotonic() - frozen < 3, "the walk took too long for this test"
    assert mira.pos.x == pytest.approx(x, abs=0.3)
    await admin.until(lambda: mira.pos.x > x + 2, within=8, what="Mira thawed and following")


async def test_who_may_not_interact_may_not_ask(scene: Scene) -> None:
    game, admin, _ = scene
    async with await game.server.join("bob") as bob:
        await admin.say("/revoke bob interact")
        await bob.until(lambda: "interact" not in bob.privileges, within=5, what="losing the privilege")
        before = len(game.heard(Chat))
        await bob.say("Mira, an apple please")
        chat = await game.message(Chat, since=before)
        assert (await game.act(chat, "give", item="default:apple")).result == "refused"
    gone = await game.act(chat, "give", item="default:apple")
    assert (gone.result, gone.reason) == ("refused", "the player who asked is not here")


async def test_what_does_not_fit_is_dropped_and_not_doubled(scene: Scene) -> None:
    game, admin, chat = scene
    await command(admin, "/probe_fill", "filled")
    await admin.until(
        lambda: all(stack.count for stack in admin.inventory["main"]), within=20, what="a full inventory"
    )
    chat = await scene.say_again()
    assert (await game.act(chat, "give", item="default:apple", count=5)).result == "done"
    await command(admin, "/probe_ground", "on the ground: default:apple 5")
    assert (await game.act(await scene.say_again(), "give", item="default:apple")).result == "failed"
