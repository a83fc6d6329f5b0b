"""The demo's own parts on real servers: the stage, an exchange as the player lives it, being followed."""

from __future__ import annotations

import io
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from rich.console import Console

from agent_runtime.bridge.messages import ActionRequest, Chat, ReplyDelta, ReplyDone
from agent_runtime.bridge.session import Session
from demo import scene
from demo.engine import Engine
from demo.errors import NotSeen, SceneFailed, ServerFailed
from demo.player import Player, Vector
from demo.show import Show
from demo.stage import NPC, NPC_AT, RIVER, SETTINGS, SPAWN, Stage, command, sight_of, teleport
from demo.talk import Exchange, ask
from tests.support.ingame import Game, make_id, reply

SHIPPED = ["README.md", "init.lua", "locale", "mod.conf", "models", "settingtypes.txt", "src", "textures"]
"""What `townsfolk mod install` puts into a world: no specs, no scripts, no dotfiles."""


@asynccontextmanager
async def meeting(
    engine: Engine, answer: Callable[[Session, Chat], None]
) -> AsyncIterator[tuple[Game, Player]]:
    """A player beside an NPC in the scene's valley; the words are the test's."""
    async with (
        Game(engine, answer=answer, settings=SETTINGS) as game,
        await game.server.join_admin() as admin,
        await game.server.join("alice") as alice,
    ):
        await teleport(admin, NPC_AT)
        await game.spawn(admin, NPC)
        await alice.move_to(*scene.BESIDE)
        scene.face(alice)
        yield game, alice


async def test_words_are_seen_as_they_grow(engine: Engine) -> None:
    """The first words come over the head, before their sentence is complete and in the chat."""

    def answer(session: Session, chat: Chat) -> None:
        session.send(ReplyDelta(reply_id, chat.id, chat.npc, chat.player, 0, "One coal", False))
        begun.append(chat)

    def go_on(exchange: Exchange) -> None:
        seen.append(exchange.words)
        if exchange.words == "One coal":
            chat = begun[0]
            whole = "One coal lump and one stick."
            session = game.session
            session.send(ReplyDelta(reply_id, chat.id, chat.npc, chat.player, 1, whole[8:], True))
            session.send(ReplyDone(reply_id, chat.id, chat.npc, chat.player, whole, "model"))

    reply_id, begun, seen = make_id(), list[Chat](), list[str]()
    async with meeting(engine, answer) as (game, alice):
        exchange = await ask(alice, NPC, "how do I make a torch?", on_words=go_on)
    assert seen[0] == "One coal"
    assert exchange.reply == "One coal lump and one stick."
    assert exchange.milliseconds is not None
    assert 0 < exchange.milliseconds < 1000


async def test_every_sentence_of_a_reply_is_collected(engine: Engine) -> None:
    def answer(session: Session, chat: Chat) -> None:
        reply(session, chat, "Good day!", f"You said {chat.text}.", "Come in.")

    async with meeting(engine, answer) as (_, alice):
        exchange = await ask(alice, NPC, "hello")
    assert exchange.sentences == ["Good day!", "You said hello.", "Come in."]


async def test_an_npc_that_says_nothing_is_noticed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.talk.REPLY_WITHIN", 1.0)
    async with meeting(engine, lambda session, chat: None) as (_, alice):
        with pytest.raises(NotSeen, match="Mira's reply to “hello”"):
            await ask(alice, NPC, "hello")


async def test_being_followed_is_seen_over_the_wire(engine: Engine) -> None:
    def answer(session: Session, chat: Chat) -> None:
        made = reply(session, chat, "I am coming.")
        arguments: dict[str, str | int] = {"target": chat.player}
        session.send(
            ActionRequest(make_id(), made, chat.npc, chat.player, "follow", arguments, chat.snapshot.taken)
        )

    async with meeting(engine, answer) as (_, alice):
        await ask(alice, NPC, scene.FOLLOW)
        assert "Mira followed for" in await scene._lead_away(alice)


async def test_an_npc_that_says_so_but_stays_fails_the_scene(engine: Engine) -> None:
    def answer(session: Session, chat: Chat) -> None:
        reply(session, chat, "I am coming.")

    async with meeting(engine, answer) as (_, alice):
        await ask(alice, NPC, scene.FOLLOW)
        with pytest.raises(SceneFailed, match="stayed"):
            await scene._lead_away(alice)


async def test_the_stage_has_everybody_in_place_and_leaves_nothing_behind(engine: Engine) -> None:
    steps: list[str] = []
    async with Stage(steps.append, engine=engine) as stage:
        async with await stage.server.join("alice") as alice:
            assert alice.pos.distance(SPAWN) < 0.1
            await alice.until(lambda: sight_of(alice), within=5, what="the sight of Mira")
            assert sight_of(alice).pos.distance(NPC_AT) < 1
            where = (await command(alice, "/npc places", "river")).partition(" at ")[2]
            assert Vector(*map(float, where.strip("()").split(","))).distance(RIVER) < 1
            exchange = await ask(alice, NPC, f"Hello {NPC}!")
            assert exchange.reply
        mod = stage.server.world / "worldmods" / "townsfolk"
        assert sorted(path.name for path in mod.iterdir()) == SHIPPED
        rows = await stage.runtime.rows("turns")
        assert [row["line"] for row in rows] == [f"Hello {NPC}!"]
        processes = stage.server.process, stage.runtime.process
    assert not any(process.running for process in processes)
    assert not stage.folder.exists()
    assert steps[-1].startswith("the world, the journal and the logs are removed")


async def test_a_runtime_that_dies_ends_the_scene_and_is_named(engine: Engine) -> None:
    async with Stage(engine=engine) as stage:
        stage.runtime.process.kill()
        with pytest.raises(ServerFailed, match="the runtime ended by signal SIGKILL; its log ends"):
            await stage.during(scene.play(stage, Show(Console(file=io.StringIO()))))


async def test_a_mod_that_cannot_reach_the_runtime_says_why_and_the_logs_are_kept(engine: Engine) -> None:
    stage = Stage(engine=engine, settings={"secure.trusted_mods": ""})
    with pytest.raises(SceneFailed, match="not trusted: add townsfolk"):
        await stage.__aenter__()
    assert not stage.server.process.running
    assert not stage.runtime.process.running
    assert "not trusted" in stage.server.log_text()
    shutil.rmtree(stage.folder)
