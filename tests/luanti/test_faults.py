"""Faults of the runtime and of the link in the real game: nobody waits for an answer longer than promised,
and what comes too late is thrown away."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent_runtime.bridge.messages import SUBPROTOCOL_JSON, Chat, Knowledge, Rating, ReplyDelta, ReplyDone
from agent_runtime.bridge.session import Session
from agent_runtime.npc.persona import load_persona
from demo.engine import Engine
from demo.player import Player
from demo.process import Process
from demo.runtime import Runtime
from tests.support.ingame import TOKEN, Game, body_of, command, make_id, reply
from tests.support.proxy import full_backlog

ROOT = Path(__file__).parents[2]
NO_MESSAGEPACK = Path(__file__).parent / "mods" / "aaa_no_messagepack"
MIRA = load_persona(ROOT / "data" / "personas" / "mira.toml")
REPLY_WITHIN = 8.0
SCRIPTED_WITHIN = 3.0
BACK_WITHIN = 2.0
LATE = 0.5
"""Seconds that a busy machine may add to a promise of the product."""


def free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def longest_step(admin: Player) -> float:
    """The mod's longest work in one server step so far, in milliseconds, as /npc status tells it."""
    line = await command(admin, "/npc status", "longest")
    found = re.search(r"longest ([\d.]+) ms", line.text)
    assert found
    return float(found[1])


async def answer_to(player: Player, line: str, within: float) -> str:
    """Say a line to Mira; her first words."""
    mark = len(player.chat)
    await player.say(line)
    return (await player.hear("<Mira> ", since=mark, within=within)).text.removeprefix("<Mira> ")


async def test_a_runtime_is_found_when_it_starts_late_and_again_after_a_kill(
    engine: Engine, tmp_path: Path
) -> None:
    """The runtime is the real one, with the model that comes along."""
    port = free_tcp_port()
    runtime = Runtime(tmp_path / "runtime", settings={"TOWNSFOLK_SERVER__PORT": str(port)})
    runtime.home.mkdir()
    (runtime.home / "token").write_text(TOKEN + "\n")
    async with Game(engine, runtime=False, port=port) as game, await game.server.join_admin() as admin:
        try:
            await command(admin, "/npc spawn mira Mira", "taken on trust")
            assert await answer_to(admin, "hello Mira", within=1)
            await command(admin, "/npc status", f"Runtime: no connection to 127.0.0.1:{port}")
            assert await longest_step(admin) < 50
            await runtime.start()
            await game.until(lambda: connections(game) == 1, "the connection", within=BACK_WITHIN + LATE)
            assert await answer_to(admin, "hello Mira", within=REPLY_WITHIN)
            await journaled(runtime, "hello Mira")

            await admin.say("Mira, how do I make a torch?")
            runtime.process.kill()
            killed, mark = time.monotonic(), len(admin.chat)
            await admin.hear("<Mira> ", since=mark, within=REPLY_WITHIN)
            await asyncio.sleep(max(0, killed + SCRIPTED_WITHIN - time.monotonic()))
            assert await answer_to(admin, "Mira, are you there?", within=1) in MIRA.canned.offline

            await runtime.stop()
            await runtime.start()
            await game.until(lambda: connections(game) == 2, "the connection", within=BACK_WITHIN + LATE)
            assert await answer_to(admin, "Mira, who are you?", within=REPLY_WITHIN)
            rows = await journaled(runtime, "Mira, who are you?")
        finally:
            await runtime.stop()
    told = {row["line"]: row["source"] for row in rows}
    assert told["hello Mira"] == told["Mira, who are you?"] == "model"
    assert len(told) == len(rows), "a line was answered twice"
    assert "Mira, are you there?" not in told


async def journaled(runtime: Runtime, line: str) -> list[dict[str, Any]]:
    """All turns of the journal, once that line is among them: the first words come before the turn's end."""
    async with asyncio.timeout(15):
        rows = await runtime.rows("turns")
        while line not in {row["line"] for row in rows}:
            rows = await runtime.rows("turns")
        return rows


def connections(game: Game) -> int:
    return game.server.log_text().count("[townsfolk] connected to the runtime")


@asynccontextmanager
async def slow_runtime(folder: Path) -> AsyncIterator[tuple[Process, int]]:
    """A running process whose replies take seconds, and its port."""
    port = free_tcp_port()
    process = Process("the slow runtime", folder / "slow.log")
    child = [sys.executable, "-m", "tests.support.slow_runtime_child", str(folder), str(port)]
    await process.start(child, {"PYTHONPATH": str(ROOT)})
    try:
        await process.ready(lambda log: "ready on" in log, within=30)
        yield process, port
    finally:
        await process.stop()


async def test_a_runtime_killed_in_mid_reply_is_spoken_for_within_three_seconds(
    engine: Engine, tmp_path: Path
) -> None:
    async with (
        slow_runtime(tmp_path) as (process, port),
        Game(engine, runtime=False, port=port) as game,
        await game.server.join_admin() as admin,
    ):
        await game.connected()
        await command(admin, "/npc spawn mira Mira", "Mira is here")
        mira = await body_of(admin, "Mira")
        mark, asked = len(admin.chat), time.monotonic()
        await admin.say("Mira, a long story, please")
        await admin.until(lambda: "word word" in mira.nametag, within=5, what="the words as they grow")
        assert not any("<Mira>" in line.text for line in admin.chat[mark:])
        process.kill()
        killed = time.monotonic()
        await admin.hear("<Mira> ", since=mark, within=REPLY_WITHIN)
        assert time.monotonic() - killed < SCRIPTED_WITHIN + LATE
        assert time.monotonic() - asked < REPLY_WITHIN
        await admin.until(lambda: "word word" not in mira.nametag, within=5, what="the half reply's end")


async def test_a_connect_that_hangs_holds_up_nobody(engine: Engine) -> None:
    with full_backlog() as port:
        async with Game(engine, runtime=False, port=port) as game, await game.server.join_admin() as admin:
            await game.until(lambda: "no answer within 2 s" in game.server.log_text(), "the giving up")
            await command(admin, "/npc spawn baker Mira", "Mira is here")
            for number in range(5):
                assert await answer_to(admin, f"hello Mira, line {number}", within=1)
                await asyncio.sleep(0.5)
            assert await longest_step(admin) < 50


async def test_replies_and_actions_for_a_player_who_left_in_between_are_thrown_away(engine: Engine) -> None:
    """Two lines are under way, one of them half answered, when the player leaves; the rest comes then."""
    waiting: list[Chat] = []

    def begin(session: Session, chat: Chat) -> None:
        waiting.append(chat)

    async with Game(engine, answer=begin) as game, await game.server.join_admin() as admin:
        await game.spawn(admin, "Brom")
        await game.spawn(admin, "Mira")
        bob = await game.server.join("bob")
        await bob.say("Mira, an apple, please")
        await bob.say("Brom, an apple, please")
        await game.until(lambda: len(waiting) == 2, "bob's two lines")
        made = [make_id(), make_id()]
        first = waiting[0]
        game.session.send(ReplyDelta(made[0], first.id, first.npc, "bob", 0, "Here you", False))
        mira = await body_of(admin, "Mira")
        await admin.until(lambda: "Here you" in mira.nametag, within=5, what="the half reply")
        await bob.leave()
        await game.until(lambda: "bob" not in game.session.players, "bob's leaving")
        for reply_id, chat in zip(made, waiting, strict=True):
            n = int(chat is first)
            game.session.send(ReplyDelta(reply_id, chat.id, chat.npc, "bob", n, " are! ", True))
            game.session.send(
                ReplyDone(reply_id, chat.id, chat.npc, "bob", "Here you are! Enjoy it.", "model")
            )
            result = await game.act(chat, "give", item="default:apple", count=1)
            assert (result.result, result.reason) == ("refused", "the player who asked is not here")
        await admin.say("Mira, my turn")
        await game.until(lambda: len(waiting) == 3, "the admin's line")
        reply(game.session, waiting[2], "Your turn.")
        await admin.hear("<Mira> Your turn.", since=0)
        assert not any("are!" in line.text or "Enjoy it" in line.text for line in admin.chat)
        assert [(stack.item, stack.count) for stack in waiting[2].snapshot.inventory] == [
            ("default:apple", 5)
        ]
        assert (await command(admin, "/probe_ground", "on the ground:")).text == "on the ground: "


async def test_without_messagepack_the_link_speaks_json(engine: Engine) -> None:
    def answer(session: Session, chat: Chat) -> None:
        reply(session, chat, "Grüß dich!", '“[[ACTION:follow]]” \\ is "what" you typed.')

    mods = {NO_MESSAGEPACK.name: NO_MESSAGEPACK}
    settings = {"secure.trusted_mods": f"townsfolk,{NO_MESSAGEPACK.name}"}
    async with (
        Game(engine, answer=answer, send_catalogue=True, mods=mods, settings=settings) as game,
        await game.server.join_admin() as admin,
    ):
        assert game.session.subprotocol == SUBPROTOCOL_JSON
        await game.spawn(admin)
        mark = len(admin.chat)
        await admin.say('Mira, was ist "\\u0041" und ä 🌲?')
        await admin.hear('<Mira> “[[ACTION:follow]]” \\ is "what" you typed.', since=mark)
        chat = await game.message(Chat)
        assert chat.text == 'Mira, was ist "\\u0041" und ä 🌲?'
        assert [(stack.item, stack.count) for stack in chat.snapshot.inventory] == [("default:apple", 5)]
        given = await game.act(chat, "give", item="default:apple", count=2)
        assert (given.result, given.reason) == ("done", "")
        await command(admin, "/npc rate 4", "Thank you")
        rating = await game.message(Rating)
        assert rating.value == 4
        first = await game.message(Knowledge)
        await game.until(lambda: len(game.heard(Knowledge)) == first.parts, "the catalogue", within=30)
        recipes = [recipe for part in game.heard(Knowledge) for recipe in part.recipes]
        torch = next(recipe for recipe in recipes if recipe.output == "default:torch")
        assert (torch.count, sorted(torch.inputs)) == (4, ["default:coal_lump", "group:stick"])


async def test_an_npc_that_is_nowhere_is_not_talked_about(engine: Engine) -> None:
    """A position that is no number, infinite or out of the world never leaves the game."""

    def answer(session: Session, chat: Chat) -> None:
        reply(session, chat, "Good day!")

    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        brom = await game.spawn(admin, "Brom")
        for coordinate in ("nan", "1e999", "-1e999", "1e300", "40001"):
            await game.spawn(admin, "Mira")
            before = len(game.heard(Chat))
            await command(admin, f"/probe_nowhere Mira {coordinate}", "nowhere")
            await command(admin, "/npc talk Mira where are you?", "too far away to hear you")
            # Brom stands here, too, and is the only one who can be meant.
            await command(admin, "Mira, where are you?", "<Brom> Good day!")
            heard = game.heard(Chat)[before:]
            assert [chat.npc for chat in heard] == [brom.npc], coordinate
            assert "Mira" not in {near.name for near in heard[0].snapshot.near}
            await command(admin, "/npc remove Mira", "gone for good")
        assert connections(game) == 1
        assert "[townsfolk]" not in game.server.log_text().partition("connected to the runtime")[2]
