"""Talking with an NPC on a real server: who is meant, what is sent, what comes back and who hears it."""

from __future__ import annotations

import asyncio

import pytest

from agent_runtime.bridge.messages import Chat, Knowledge, ReplyDelta, ReplyDone
from agent_runtime.bridge.session import Session
from demo.engine import Engine
from tests.support.ingame import Game, body_of, command, make_id, reply


def answer(session: Session, chat: Chat) -> None:
    reply(session, chat, "Good day!", f"You said {chat.text}.")


async def test_a_line_that_names_the_npc_is_answered_sentence_by_sentence(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        mira = await game.spawn(admin)
        mark = len(admin.chat)
        await admin.say("hello mira, how are you")
        first = await admin.hear("<Mira> Good day!", since=mark)
        await admin.hear("<Mira> You said hello mira, how are you.", since=mark)
        chat = await game.message(Chat)
        assert (chat.npc, chat.player, chat.how) == (mira.npc, "admin", "named")
        lines = [line.text for line in admin.chat[mark:]]
        assert lines.index("<admin> hello mira, how are you") < lines.index(first.text)
        entity = await body_of(admin, "Mira")
        await admin.until(
            lambda: "You said hello mira" in entity.nametag, within=2, what="the words over the head"
        )


async def test_the_snapshot_says_what_is_true(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        x, y, z = admin.pos
        await command(admin, "/npc mark mill", "mill")
        await bob.move_to(x, y, z + 6)
        await command(admin, "/giveme default:torch 2", "added to inventory")
        await admin.move_to(x + 3, y, z)
        await admin.say("Mira?")
        chat = await game.message(Chat)
        seen = chat.snapshot
        assert seen.held == "default:torch"
        assert seen.surface == "default:dirt_with_grass"
        assert abs(seen.player_pos.x - seen.npc_pos.x) == pytest.approx(3, abs=0.5)
        assert [(stack.item, stack.count) for stack in seen.inventory] == [("default:apple", 5)]
        near = {entry.name: entry for entry in seen.near}
        assert near["bob"].kind == "player"
        assert near["bob"].direction == "north"
        assert near["bob"].distance == pytest.approx(6, abs=0.7)
        assert near["mill"].kind == "place"
        assert near["mill"].direction == "here"
        assert "admin" not in near
        assert [entry.name for entry in seen.near] == ["mill", "bob"], "the nearest comes first"


async def test_the_one_npc_that_a_player_faces_is_meant(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        x, y, z = admin.pos
        await admin.move_to(x + 3, y, z)
        admin.look_at(x + 20, y, z)
        await admin.say("nobody is meant by this")
        admin.look_at(x, y, z)
        await asyncio.sleep(0.3)
        await admin.say("how do I make a torch?")
        chat = await game.message(Chat)
        assert (chat.text, chat.how) == ("how do I make a torch?", "near")


async def test_commands_reach_npcs_by_name_and_the_nearest(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        await game.spawn(admin, "Old Tom")
        await command(
            admin, "/npc talk Old Tom where is the river?", "<Old Tom> You said where is the river?"
        )
        await command(admin, '/ai say "and the mill?"', "<Old Tom> You said and the mill?")
        assert [chat.how for chat in game.heard(Chat)] == ["command", "command"]
        await command(admin, "/npc talk Nobody hello", "There is no NPC called")


async def test_players_near_hear_it_and_players_far_do_not(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
        await game.server.join("carol") as carol,
    ):
        await game.spawn(admin)
        x, y, z = admin.pos
        await bob.move_to(x + 4, y, z)
        await admin.say(f"/teleport carol {x + 20},{y},{z}")
        await carol.until(lambda: carol.pos.x > x + 19, within=5, what="being far away")
        await admin.say("hi Mira")
        await bob.hear("<Mira> Good day!", since=0)
        await carol.hear("<admin> hi Mira", since=0)
        await asyncio.sleep(0.5)
        assert not any("<Mira>" in line.text for line in carol.chat)


async def test_colours_and_escapes_are_stripped_both_ways(engine: Engine) -> None:
    def forge(session: Session, chat: Chat) -> None:
        reply(session, chat, "\x1b(c@#ff0000)Red\u202e and\x00 \x1b[31mplain.")

    async with Game(engine, answer=forge) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        mark = len(admin.chat)
        await admin.say("\x1b(c@#00ff00)Mi\u200bra\x1bE, hello\x07 there")
        line = await admin.hear("<Mira>", since=mark)
        assert line.raw == "<Mira> Red and plain."
        assert (await game.message(Chat)).text == "Mira, hello there"


async def test_pieces_out_of_order_and_twice_are_put_right(engine: Engine) -> None:
    def shuffled(session: Session, chat: Chat) -> None:
        made = make_id()
        pieces = [("One ", False), ("two", False), (" three.", True)]
        for n in (2, 0, 0, 2, 1):
            text, ends = pieces[n]
            session.send(ReplyDelta(made, chat.id, chat.npc, chat.player, n, text, ends))
        session.send(ReplyDone(made, chat.id, chat.npc, chat.player, "One two three.", "model"))

    async with Game(engine, answer=shuffled) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        mark = len(admin.chat)
        await admin.say("count, Mira")
        assert (await admin.hear("<Mira>", since=mark)).text == "<Mira> One two three."
        await asyncio.sleep(0.3)
        assert sum("<Mira>" in line.text for line in admin.chat[mark:]) == 1


async def test_a_reply_for_somebody_who_left_is_thrown_away(engine: Engine) -> None:
    waiting: list[Chat] = []

    def wait(_: Session, chat: Chat) -> None:
        waiting.append(chat)

    async with Game(engine, answer=wait) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        bob = await game.server.join("bob")
        await bob.say("hello Mira")
        await game.until(lambda: waiting, "bob's line")
        await bob.leave()
        await game.until(lambda: "bob" not in game.session.players, "bob's leaving")
        reply(game.session, waiting[0], "Hello bob!")
        await admin.say("Mira, my turn")
        await game.until(lambda: len(waiting) == 2, "the admin's line")
        reply(game.session, waiting[1], "Your turn.")
        await admin.hear("<Mira> Your turn.", since=0)
        assert not any("Hello bob" in line.text for line in admin.chat)


async def test_the_catalogue_is_sent_when_asked_for(engine: Engine) -> None:
    async with Game(engine, send_catalogue=True) as game:
        first = await game.message(Knowledge)
        await game.until(lambda: len(game.heard(Knowledge)) == first.parts, "all parts", within=30)
        items = {item.name: item for part in game.heard(Knowledge) for item in part.items}
        recipes = [recipe for part in game.heard(Knowledge) for recipe in part.recipes]
        assert items["default:torch"].description == "Torch"
        assert items["default:wood"].groups["wood"] == 1
        torch = next(recipe for recipe in recipes if recipe.output == "default:torch")
        assert (torch.count, sorted(torch.inputs)) == (4, ["default:coal_lump", "group:stick"])
        assert any(r.method == "cooking" and r.output == "default:steel_ingot" for r in recipes)
        assert first.catalogue == game.session.hello.catalogue
