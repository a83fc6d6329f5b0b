"""The engine in its own process: the same replies, and what happens when that process dies or hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_runtime.engine import wire
from agent_runtime.engine.interface import Chunk, Finish, Lane, Request
from agent_runtime.engine.process import IsolatedEngine
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import (
    AdapterError,
    EngineBusy,
    EngineDown,
    EngineEnded,
    EngineError,
    ModelFileError,
    PromptTooLong,
)
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.adapters import random_adapter
from tests.support.replies import reply

SMITH = Message("system", "You are Bo, the smith.")
OPTIONS = {"threads": 1, "slots": 4, "queue": 2}


@asynccontextmanager
async def serving(engine: Any) -> AsyncIterator[Any]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def request(line: str = "hello", tokens: int = 20, **more: Any) -> Request:
    sampling = Sampling(temperature=1.0, seed=7, max_tokens=tokens)
    return Request((SMITH, Message("user", line)), sampling, time.monotonic() + 30, **more)


async def back(engine: IsolatedEngine) -> tuple[str, Finish]:
    """A reply, as soon as the engine serves again."""
    async with asyncio.timeout(40):
        while True:
            try:
                return await reply(engine, request())
            except EngineError:
                await asyncio.sleep(0.05)


async def test_it_says_what_the_engine_in_this_process_says(noise: Path) -> None:
    async with (
        serving(LlamaEngine(noise, **OPTIONS)) as here,
        serving(IsolatedEngine(noise, **OPTIONS)) as there,
    ):
        assert there.info == here.info
        await there.warm((SMITH,))
        lines = [f"line {number}" for number in range(6)]
        expected = [await reply(here, request(line)) for line in lines]
        told = await asyncio.gather(*(reply(there, request(line)) for line in lines))
        assert [text for text, _ in told] == [text for text, _ in expected]
        assert all(finish.cached_tokens for _, finish in told)
        assert psutil.Process(there.pid).ppid() == os.getpid()
        child = there.pid
    assert not psutil.pid_exists(child)


async def test_errors_come_over_with_what_they_carry(noise: Path, endless: Path, tmp_path: Path) -> None:
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        with pytest.raises(PromptTooLong) as raised:
            await reply(engine, request("word " * 300))
        assert raised.value.tokens > raised.value.limit == 492
        with pytest.raises(AdapterError):
            await engine.load(Lane("v1", tmp_path / "none.gguf"))
    async with serving(IsolatedEngine(endless, **OPTIONS)) as engine:
        talks = [asyncio.create_task(reply(engine, request(tokens=200))) for _ in range(6)]
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await reply(engine, request())
        assert len(await asyncio.gather(*talks)) == 6
    broken = tmp_path / "broken.gguf"
    await asyncio.to_thread(lambda: broken.write_bytes(noise.read_bytes()[:100_000]))
    with pytest.raises(ModelFileError, match="early"):
        await IsolatedEngine(broken, **OPTIONS).start()


def test_every_error_has_a_way_back() -> None:
    for error in (PromptTooLong(9, 8), EngineBusy("full"), AdapterError("bad"), EngineDown("x")):
        again = wire.error(wire.fault(error))
        assert (type(again), str(again)) == (type(error), str(error))


async def test_leaving_frees_the_slot_there(endless: Path) -> None:
    async with serving(IsolatedEngine(endless, threads=1, slots=1, queue=1)) as engine:
        async with aclosing(engine.generate(request(tokens=3_000))) as talk:
            assert isinstance(await anext(talk), Chunk)
        _, finish = await reply(engine, request(tokens=3))
        assert finish.completion_tokens == 3


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
async def test_a_native_abort_ends_the_replies_and_another_process_takes_over(
    endless: Path, number: signal.Signals
) -> None:
    async with serving(IsolatedEngine(endless, **OPTIONS)) as engine:
        before, _ = await reply(engine, request())
        async with aclosing(engine.generate(request(tokens=3_000))) as talk:
            await anext(talk)
            dead = engine.pid
            os.kill(dead, number)
            with pytest.raises(EngineError, match=f"ended .status -{number.value}."):
                async for _ in talk:
                    pass
        with pytest.raises(EngineError, match="comes back"):
            engine.generate(request())
        assert (await back(engine))[0] == before
        assert engine.pid != dead


async def test_versions_come_back_with_the_engine(noise: Path, tmp_path: Path) -> None:
    lane = Lane("v1", random_adapter(tmp_path / "v1.gguf", noise))
    gone = Lane("v2", random_adapter(tmp_path / "v2.gguf", noise, seed=2))
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        await engine.load(lane)
        await engine.load(gone)
        await engine.unload("v2")
        before, _ = await reply(engine, request(lane="v1"))
        assert before != (await reply(engine, request()))[0]
        os.kill(engine.pid, signal.SIGKILL)
        await back(engine)
        assert [each.key for each in engine.lanes] == ["", "v1"]
        assert (await reply(engine, request(lane="v1")))[0] == before


async def test_an_engine_that_hangs_is_noticed_and_replaced(endless: Path) -> None:
    async with serving(IsolatedEngine(endless, silence=0.5, **OPTIONS)) as engine:
        async with aclosing(engine.generate(request(tokens=3_000))) as talk:
            await anext(talk)
            began = time.monotonic()
            os.kill(engine.pid, signal.SIGSTOP)
            with pytest.raises(EngineError):
                async for _ in talk:
                    pass
        assert time.monotonic() - began < 5
        assert (await back(engine))[0]


@pytest.fixture
def spinning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started from here on spin when they get SIGUSR1, and let no other thread of theirs
    run: an expression that takes for ever holds Python's lock."""
    (tmp_path / "sitecustomize.py").write_text(
        "import re, signal\nsignal.signal(signal.SIGUSR1, lambda *_: re.match('(a+)+$', 'a' * 64 + 'b'))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("spinning")
async def test_an_engine_that_spins_is_noticed_within_five_seconds(endless: Path) -> None:
    async with serving(IsolatedEngine(endless, **OPTIONS)) as engine:
        async with aclosing(engine.generate(request(tokens=3_000))) as talk:
            await anext(talk)
            began = time.monotonic()
            os.kill(engine.pid, signal.SIGUSR1)
            with pytest.raises(EngineDown):
                async for _ in talk:
                    pass
        assert time.monotonic() - began < 5
        assert (await back(engine))[0]


async def test_those_who_follow_are_told_who_came_back(noise: Path, tmp_path: Path) -> None:
    lanes = [Lane(f"v{seed}", random_adapter(tmp_path / f"{seed}.gguf", noise, seed=seed)) for seed in (1, 2)]
    told: list[tuple[str, list[str]]] = []
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        engine.follow(
            lambda: told.append(("lost", [])),
            lambda: told.append(("back", [lane.key for lane in engine.lanes])),
        )
        for lane in lanes:
            await engine.load(lane)
        assert lanes[0].adapter
        lanes[0].adapter.unlink()
        os.kill(engine.pid, signal.SIGKILL)
        await back(engine)
        assert told == [("lost", []), ("back", ["", "v2"])]


async def test_what_is_unloaded_while_the_engine_is_away_does_not_come_back(
    noise: Path, tmp_path: Path
) -> None:
    lane = Lane("v1", random_adapter(tmp_path / "v1.gguf", noise))
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        await engine.load(lane)
        os.kill(engine.pid, signal.SIGKILL)
        with suppress(EngineDown):
            while True:
                await reply(engine, request())
        with pytest.raises(EngineDown):
            await engine.load(lane)
        await engine.unload("v1")
        await back(engine)
        assert engine.lanes == (Lane(""),)
        await engine.load(lane)
        assert (await reply(engine, request(lane="v1")))[1].lane == "v1"


async def test_a_process_that_ends_while_a_version_is_loaded_ends_the_load(
    noise: Path, tmp_path: Path
) -> None:
    lane = Lane("v1", random_adapter(tmp_path / "v1.gguf", noise))
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        loading = asyncio.create_task(engine.load(lane))
        await asyncio.sleep(0)
        os.kill(engine.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            with pytest.raises(EngineEnded, match=r"v1\.gguf"):
                await loading
        await back(engine)
        assert engine.lanes == (Lane(""),)


async def test_a_process_that_cannot_be_started_is_tried_again(
    noise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        with monkeypatch.context() as gone:
            gone.setattr(sys, "executable", str(tmp_path / "python"))
            os.kill(engine.pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                while "cannot be started" not in caplog.text:  # noqa: ASYNC110 (it happens in the watcher)
                    await asyncio.sleep(0.05)
            assert "is back" not in caplog.text
        assert (await back(engine))[0]
    assert "is back" in caplog.text


async def test_a_process_that_hangs_while_it_loads_is_replaced(noise: Path) -> None:
    async with serving(IsolatedEngine(noise, patience=0.0, **OPTIONS)) as engine:
        first = engine.pid
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(10):
            while engine.pid == first:  # noqa: ASYNC110 (it happens in the watcher)
                await asyncio.sleep(0.001)
        stuck = engine.pid
        os.kill(stuck, signal.SIGSTOP)
        assert (await back(engine))[0]
        assert engine.pid not in (first, stuck)
        assert not psutil.pid_exists(stuck)


async def test_closing_while_it_hangs_leaves_no_process(endless: Path) -> None:
    engine = IsolatedEngine(endless, **OPTIONS)
    await engine.start()
    child = engine.pid
    os.kill(child, signal.SIGSTOP)
    await engine.close()
    assert not psutil.pid_exists(child)
    with pytest.raises(EngineError, match="not running"):
        engine.generate(request())


async def test_a_service_managers_signals_leave_it_to_the_runtime(noise: Path) -> None:
    async with serving(IsolatedEngine(noise, **OPTIONS)) as engine:
        os.kill(engine.pid, signal.SIGTERM)
        os.kill(engine.pid, signal.SIGINT)
        assert (await reply(engine, request()))[1].completion_tokens


def test_the_process_ends_with_the_runtime(noise: Path) -> None:
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from agent_runtime.engine.process import IsolatedEngine\n"
        "async def main():\n"
        "    engine = IsolatedEngine(Path(sys.argv[1]), threads=1)\n"
        "    await engine.start(); print(engine.pid, flush=True); os._exit(1)\n"
        "asyncio.run(main())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(noise)], capture_output=True, text=True, check=False
    )
    psutil.wait_procs([psutil.Process(pid) for pid in [int(ran.stdout)] if psutil.pid_exists(pid)], timeout=5)
    assert not psutil.pid_exists(int(ran.stdout))
