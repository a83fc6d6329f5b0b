"""The whole way of a version on the real runtime: `townsfolk serve` with the embedded model, adapters made on
the spot, the command line, and players who talk all the while."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_runtime.models import embedded_model
from agent_runtime.registry.store import Registry
from demo.errors import ServerFailed
from demo.runtime import Runtime
from tests.support.adapters import random_adapter
from tests.support.game import Game, chat, hello
from tests.support.models import random_model
from tests.support.versions import added

PLAYERS = ("alice", "bob", "carol")
SHORT = (
    'name = "Mira"\nrole = "the baker"\nvoice = "warm"\nabout = "Mira bakes."\n[sampling]\nmax_tokens = 12\n'
)
"""A persona of few words: it is the swaps that are tested, not the talk."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded_model(tmp_path_factory.mktemp("models"))


@pytest.fixture
def runtime(tmp_path: Path, base: Path) -> Runtime:
    """A runtime that knows two versions and serves the bare base; not started yet."""
    return prepared(tmp_path, base)


@pytest.fixture
def apart(tmp_path: Path, base: Path) -> Runtime:
    """The same with its engine in a process of its own."""
    return prepared(tmp_path, base, {"TOWNSFOLK_ENGINE__ISOLATED": "true"})


def prepared(tmp_path: Path, base: Path, settings: Mapping[str, str] | None = None) -> Runtime:
    home = tmp_path / "served"
    (home / "personas").mkdir(parents=True)
    (home / "personas" / "mira.toml").write_text(SHORT)
    registry = Registry(home / "registry")
    digest = hashlib.sha256(base.read_bytes()).hexdigest()
    for seed in (1, 2):
        adapter = random_adapter(tmp_path / f"{seed}.gguf", base, seed=seed, strength=0.02)
        added(registry, adapter, base=digest, learned=f"lesson {seed}")
    return Runtime(
        home,
        settings={
            "TOWNSFOLK_MODEL__PATH": str(base),
            "TOWNSFOLK_MODEL__THREADS": "1",
            "TOWNSFOLK_TURN__PER_PLAYER_PER_10S": "100",
            **(settings or {}),
        },
    )


async def beat(game: Game) -> None:
    """Be heard of as often as a game server is, also while a reply takes long."""
    while True:
        await game.send({"type": "ping", "n": 0})
        await asyncio.sleep(1)


class Talking:
    """Players who talk without a pause, each on a server of its own, until told to stop. `replies` are the
    ends of all replies as they came, and when (monotonic)."""

    def __init__(self, port: int, token: str) -> None:
        self.replies: list[tuple[float, dict[str, Any]]] = []
        self.lines = 0
        self._port, self._token = port, token
        self._over = False

    async def talk(self, player: str) -> None:
        greeting = hello(players=[player], server=f"01J0000000000000000000SRV{PLAYERS.index(player)}")
        async with Game(self._port, token=self._token, greeting=greeting) as game:
            beating = asyncio.create_task(beat(game))
            while not self._over:
                self.lines += 1
                await game.send(chat("hello Mira, what is new", player=player))
                async with asyncio.timeout(20):
                    while (message := await game.receive())["type"] != "reply_done":
                        pass
                self.replies.append((time.monotonic(), message))
            beating.cancel()

    def stop(self) -> None:
        self._over = True


@asynccontextmanager
async def talking(runtime: Runtime) -> AsyncIterator[Talking]:
    found = Talking(runtime.port, runtime.token)
    async with asyncio.TaskGroup() as tasks:
        for player in PLAYERS:
            tasks.create_task(found.talk(player))
        yield found
        found.stop()


async def more(found: Talking, count: int) -> None:
    """Until so many more replies have come."""
    wanted = len(found.replies) + count
    async with asyncio.timeout(30):
        while len(found.replies) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def versions_of(runtime: Runtime, found: Talking) -> list[int]:
    """The version of each reply, in the order the replies came."""
    lines = await runtime.run("journal", "turns", "--json", "--limit", "1000")
    by_reply = {row["id"]: row["version"] for row in map(json.loads, lines.splitlines())}
    return [by_reply[message["reply"]] for _, message in found.replies]


async def test_versions_come_and_go_while_players_talk_and_nobody_is_left_unanswered(
    runtime: Runtime,
) -> None:
    async with runtime:
        async with talking(runtime) as found:
            await more(found, 3)
            assert "the server has it" in await runtime.run("promote", "1")
            await more(found, 6)
            assert "the server has it" in await runtime.run("promote", "2")
            await more(found, 6)
            before, began = len(found.replies), time.monotonic()
            said = await runtime.run("rollback", "--why", "worse")
            assert "version 1 is the champion again" in said
            await more(found, 6)
        assert found.lines == len(found.replies), "every line was answered"
        assert {message["source"] for _, message in found.replies} == {"model"}
        served = await versions_of(runtime, found)
        assert set(served) == {0, 1, 2}
        after = next(place for place in range(before, len(served)) if served[place] == 1)
        print(
            f"from the command to the first reply of the old version: {found.replies[after][0] - began:.2f} s"
        )
        assert 2 not in served[after + len(PLAYERS) :], (
            "whoever had begun with 2 ended with it; nobody else did"
        )
        shown = await runtime.run("versions", columns=160)
        assert "banned: worse" in shown


async def test_an_adapter_that_does_not_fit_is_refused_by_name_and_talk_goes_on(
    runtime: Runtime, tmp_path: Path
) -> None:
    registry = Registry(runtime.home / "registry")
    manifest = registry.get(1).manifest
    assert manifest
    other = random_model(tmp_path / "other.gguf")
    bad = random_adapter(tmp_path / "bad.gguf", other)
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(bad.read_bytes()[:200])
    added(registry, bad, base=manifest.base)
    added(registry, torn, base=manifest.base)
    added(registry, bad, base="f" * 64)
    async with runtime:
        assert "the server has it" in await runtime.run("promote", "1")
        for number in ("3", "4", "5"):
            with pytest.raises(ServerFailed, match=rf"refused version {number}"):
                await runtime.run("promote", number)
            assert registry.state().champion == 1
        async with Game(runtime.port, token=runtime.token) as game:
            await game.send(chat("hello Mira"))
            while (message := await game.receive())["type"] != "reply_done":
                pass
        assert message["source"] == "model"
        (turn,) = await runtime.rows("turns")
        assert turn["version"] == 1
    assert "version_refused" in runtime.process.text()


async def test_a_version_comes_back_with_the_engine_and_is_not_blamed_by_those_who_talked(
    apart: Runtime,
) -> None:
    async with apart:
        await apart.run("promote", "1")
        async with Game(apart.port, token=apart.token) as game:

            async def source() -> str:
                await game.send(chat("hello Mira"))
                while (message := await game.receive())["type"] != "reply_done":
                    pass
                return str(message["source"])

            assert await source() == "model"
            (engine,) = psutil.Process(apart.process.pid).children()
            engine.kill()
            assert [await source() for _ in range(8)] == ["late"] * 8
            async with asyncio.timeout(30):
                while await source() != "model":  # noqa: ASYNC110
                    await asyncio.sleep(0.2)
        assert (await apart.rows("turns"))[0]["version"] == 1
        state = Registry(apart.home / "registry").state()
        assert (state.champion, state.banned) == (1, {})


async def test_a_version_serves_again_after_a_restart_and_after_a_kill(runtime: Runtime) -> None:
    async with runtime:
        await runtime.run("promote", "2")
        assert (await runtime.process.stop(signal.SIGTERM)) == 0
        ready = await runtime.start()
        assert ready["version"] == 2
        runtime.process.kill()
        await runtime.stop()
        ready = await runtime.start()
        assert ready["version"] == 2
        assert "ended_without_a_word" in runtime.process.text()
