from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_runtime import app
from agent_runtime.app import engine_of, personas_of
from agent_runtime.config import load
from agent_runtime.engine.interface import Lane
from agent_runtime.errors import ConfigError, ModelFileError, PersonaError
from agent_runtime.registry.status import StatusFiles
from agent_runtime.registry.store import Registry
from demo.errors import ServerFailed
from demo.runtime import Runtime
from tests.support.engine import ScriptedEngine
from tests.support.game import Game, chat
from tests.support.openai_server import OpenAIServer
from tests.support.versions import added


async def until_done(game: Game) -> dict[str, object]:
    async with asyncio.timeout(15):
        while (message := await game.receive())["type"] != "reply_done":
            pass
    return message


async def test_it_serves_the_embedded_model_and_says_so(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "home") as runtime:
        async with Game(runtime.port, token=runtime.token) as game:
            assert {card["persona"] for card in game.welcome["personas"]} >= {"mira", "brom"}
            await game.send(chat("hello Mira"))
            done = await until_done(game)
            assert done["source"] == "model"
            assert done["text"]
        open_to_all = {path.name for path in (tmp_path / "home").iterdir() if path.stat().st_mode & 0o077}
        assert open_to_all == {"serve.log"}, "only its own user reads what players say; the log is the demo's"
        turns = await runtime.rows("turns")
        assert [(turn["line"], turn["reply"]) for turn in turns] == [("hello Mira", done["text"])]


async def test_it_stops_in_good_order_while_busy_and_starts_again(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "home") as runtime:
        async with Game(runtime.port, token=runtime.token) as game:
            await game.send(chat("tell me a story"))
            assert (await game.receive())["type"] in ("reply_delta", "reply_done")
            status = await runtime.process.stop(signal.SIGTERM)
        assert status == 0
        await runtime.start()
        turns = await runtime.rows("turns")
        assert [turn["line"] for turn in turns] == ["tell me a story"]


class SleepyEngine(ScriptedEngine):
    """It loads for ever."""

    async def start(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()


async def test_it_stops_while_the_model_is_being_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "engine_of", lambda settings: SleepyEngine())
    async with asyncio.timeout(10):
        assert await app.serve(load(tmp_path)) == 0


class StoppedEngine(ScriptedEngine):
    """The runtime is told to stop just when it should load a version."""

    async def load(self, lane: Lane) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.2)
        await super().load(lane)


async def test_a_stop_while_a_version_is_loaded_is_held_against_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(tmp_path)
    registry = Registry(settings.registry_path)
    added(registry, base="0" * 64)
    registry.promote(1, expected=0, who="ann", why="better")
    monkeypatch.setattr(app, "engine_of", lambda settings: StoppedEngine())
    async with asyncio.timeout(10):
        assert await app.serve(settings) == 0
    assert StatusFiles(registry.root).status() is None
    assert [entry.what for entry in registry.audit()] == ["add", "promote"]


async def test_a_kill_loses_no_acked_rating(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "home") as runtime:
        async with Game(runtime.port, token=runtime.token) as game:
            await game.send(chat())
            reply = (await until_done(game))["reply"]
            rating = {"type": "rating", "id": str(reply), "reply": reply, "player": "alice"}
            answer = await game.ask(rating | {"value": 5, "scale": "thumb"})
            assert answer["type"] == "ack"
            runtime.process.kill()
        await runtime.stop()
        await runtime.start()
        assert [row["value"] for row in await runtime.rows("ratings")] == [5]


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "one") as first:
        taken = {"TOWNSFOLK_SERVER__PORT": str(first.port)}
        with pytest.raises(ServerFailed, match=str(first.port)):
            await Runtime(tmp_path / "two", settings=taken).start()


async def test_two_runtimes_never_share_a_home(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "home"):
        with pytest.raises(ServerFailed, match="in use"):
            await Runtime(tmp_path / "home").start()


def test_a_model_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_MODEL__PATH", str(tmp_path / "none.gguf"))
    engine = engine_of(load(tmp_path))
    with pytest.raises(ModelFileError, match=r"none\.gguf"):
        asyncio.run(engine.start())


async def test_it_serves_what_another_server_generates(tmp_path: Path) -> None:
    behind = ScriptedEngine(["Good day from far away."])
    await behind.start()
    async with OpenAIServer(behind, model="qwen") as server:
        there = {"TOWNSFOLK_ENGINE__BACKEND": "openai", "TOWNSFOLK_ENGINE__URL": server.url}
        async with (
            Runtime(tmp_path / "home", settings=there) as runtime,
            Game(runtime.port, token=runtime.token) as game,
        ):
            await game.send(chat("hello Mira"))
            done = await until_done(game)
    assert (done["source"], done["text"]) == ("model", "Good day from far away.")


async def test_an_engine_that_crashes_costs_a_canned_line_and_no_row(tmp_path: Path) -> None:
    apart = {"TOWNSFOLK_ENGINE__ISOLATED": "true"}
    async with (
        Runtime(tmp_path / "home", settings=apart) as runtime,
        Game(runtime.port, token=runtime.token) as game,
    ):
        await game.send(chat("tell me a story"))
        while (await game.receive())["type"] != "reply_delta":
            pass
        (engine,) = psutil.Process(runtime.process.pid).children()
        engine.send_signal(signal.SIGABRT)
        await until_done(game)
        source = ""
        async with asyncio.timeout(30):
            while source != "model":
                await game.send(chat("hello Mira"))
                done = await until_done(game)
                source = str(done["source"])
                await asyncio.sleep(1.7)  # a player may say six lines in ten seconds
        turns = await runtime.rows("turns")
    assert turns[0]["reply"] == done["text"]
    assert turns[-1]["line"] == "tell me a story"


async def test_a_journal_that_cannot_be_written_is_told_to_the_game_servers(tmp_path: Path) -> None:
    behind = ScriptedEngine(["Good day."])
    await behind.start()
    async with OpenAIServer(behind) as server:
        there = {"TOWNSFOLK_ENGINE__BACKEND": "openai", "TOWNSFOLK_ENGINE__URL": server.url}
        async with (
            Runtime(tmp_path / "home", settings=there) as runtime,
            Game(runtime.port, token=runtime.token) as game,
            full_journal(runtime, game),
        ):
            await game.send(chat())
            assert (await until_done(game))["text"] == "Good day."


async def test_versions_change_though_the_journal_cannot_be_written(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "home" / "registry")
    version = added(registry)
    behind = ScriptedEngine(lambda request: "I am new." if request.lane == version.id else "I am bare.")
    await behind.start()
    await behind.load(Lane(version.id, version.adapter))
    async with OpenAIServer(behind) as server:
        there = {"TOWNSFOLK_ENGINE__BACKEND": "openai", "TOWNSFOLK_ENGINE__URL": server.url}
        async with (
            Runtime(tmp_path / "home", settings=there) as runtime,
            Game(runtime.port, token=runtime.token) as game,
        ):

            async def said() -> object:
                await game.send(chat())
                return (await until_done(game))["text"]

            async with full_journal(runtime, game):
                assert await said() == "I am bare."
                assert "the server has it" in await runtime.run("promote", "1")
                assert await said() == "I am new."
                assert "the server has it" in await runtime.run("rollback", "--why", "it swears")
                assert await said() == "I am bare."
    assert (registry.state().champion, registry.state().banned) == (0, {1: "it swears"})


DUG = [{"kind": "dig", "player": "alice", "at": 5.0, "what": "default:stone"}] * 500


@asynccontextmanager
async def full_journal(runtime: Runtime, game: Game) -> AsyncIterator[None]:
    """The journal cannot be written, as if the disk were full, from the alarm about it until the block
    ends; then the alarm ends, too."""
    process = psutil.Process(runtime.process.pid)
    written = max(file.stat().st_size for file in runtime.home.rglob("*") if file.is_file())
    process.rlimit(psutil.RLIMIT_FSIZE, (written + 10_000, psutil.RLIM_INFINITY))
    async with asyncio.timeout(30):
        while not (notices := await waiting(game, "notice")):
            await game.send({"type": "event", "events": DUG})
    assert "cannot write its journal" in notices[0]["text"]
    yield
    assert not await waiting(game, "notice"), "the alarm went on"
    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    async with asyncio.timeout(30):
        while not (notices := await waiting(game, "notice")):
            await game.send({"type": "event", "events": DUG[:1]})
    assert notices[0]["text"] == "the runtime writes its journal again"


async def waiting(game: Game, kind: str) -> list[dict[str, Any]]:
    """The messages of this kind that are there now."""
    n = 7
    found = []
    await game.send({"type": "ping", "n": n})
    while (message := await game.receive()) != {"type": "pong", "n": n}:
        found.append(message)
    return [message for message in found if message["type"] == kind]


def test_a_server_without_an_address_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOWNSFOLK_ENGINE__BACKEND", "openai")
    with pytest.raises(ConfigError, match=r"engine\.url"):
        load(tmp_path)


def test_a_broken_persona_of_the_admins_is_named(tmp_path: Path) -> None:
    (tmp_path / "personas").mkdir()
    (tmp_path / "personas" / "grump.toml").write_text('name = "Grump"\n')
    with pytest.raises(PersonaError, match=r"grump\.toml"):
        personas_of(load(tmp_path))


def test_the_shipped_catalogue_is_a_knowledge_message_in_two_lists() -> None:
    content = json.loads((Path(__file__).parent.parent / "data" / "catalogue.json").read_text())
    assert set(content) == {"items", "recipes"}
