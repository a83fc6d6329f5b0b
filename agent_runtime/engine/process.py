"""The engine in a process of its own, watched: requests go in, chunks come out, crashes stay there.

A dead process is noticed at once and one that hangs within five seconds; its replies end with an
`EngineError`, and another process takes over with the same versions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil

from agent_runtime.engine.interface import BASE_LANE, Chunk, Finish, Lane, ModelInfo, Request
from agent_runtime.engine.orders import Ping
from agent_runtime.engine.remote import RemoteWorker
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import EngineError
from agent_runtime.npc.prompt import Message

_log = logging.getLogger("townsfolk.engine")

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_SLOWEST = 4
"""How many times longer an engine may be silent that visibly works: a long prompt on a slow machine."""


class IsolatedEngine:
    """`LlamaEngine` in another process; implements `interface.Engine` and takes the same arguments.

    `silence` is how many seconds the engine's thread may give no sign of life while it uses no processor.
    """

    def __init__(self, path: Path, *, silence: float = 4.0, **options: Any) -> None:
        self._path = path
        self._options = options
        self._silence = silence
        self._engine: LlamaEngine | None = None
        self._worker: RemoteWorker | None = None
        self._info: ModelInfo | None = None
        self._lanes = {BASE_LANE: Lane(BASE_LANE)}
        self._watcher: asyncio.Task[None] | None = None

    @property
    def info(self) -> ModelInfo:
        """The model that serves; raises `EngineError` before `start`."""
        if not self._info:
            raise EngineError("the engine is not running: it was not started")
        return self._info

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The versions that serve: first the bare base, then in the order they were loaded."""
        return tuple(self._lanes.values())

    @property
    def pid(self) -> int:
        """The engine's process."""
        assert self._worker
        return self._worker.pid

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`, or `EngineError` when the process ends meanwhile."""
        if self._watcher:
            raise EngineError("an engine starts only once; make a new one")
        await self._begin()
        self._watcher = asyncio.create_task(self._watch())

    async def load(self, lane: Lane) -> None:
        """As `LlamaEngine.load`; a version that was loaded comes back after a crash."""
        await self._serving().load(lane)
        self._lanes[lane.key] = lane

    async def unload(self, key: str) -> None:
        """As `LlamaEngine.unload`."""
        engine = self._serving()
        if key != BASE_LANE:
            self._lanes.pop(key, None)
        await engine.unload(key)

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        """As `LlamaEngine.warm`."""
        await self._serving().warm(messages, lane, talk)

    def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """As `LlamaEngine.generate`; raises `EngineError` while the engine comes back."""
        return self._serving().generate(request)

    async def close(self) -> None:
        """End every generation with an `EngineError`, and the process."""
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._end()

    async def _begin(self) -> None:
        """A process with the model and all lanes; none at all when that fails."""
        engine = LlamaEngine(self._path, make_worker=self._make_worker, **self._options)
        self._engine = engine
        try:
            await engine.start()
        except BaseException:
            await self._end()
            raise
        self._info = engine.info
        for lane in list(self._lanes.values())[1:]:
            try:
                await engine.load(lane)
            except EngineError as error:
                _log.error("version %s does not come back: %s", lane.key, error)
                del self._lanes[lane.key]

    def _make_worker(self, *arguments: Any, **options: Any) -> RemoteWorker:
        self._worker = RemoteWorker(*arguments, **options)
        return self._worker

    async def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine:
            await engine.close()
        if self._worker:
            self._worker.kill()

    async def _watch(self) -> None:
        while True:
            why = await self._lost()
            _log.error("the engine %s; it is started again", why)
            assert self._worker
            self._worker.kill()
            await self._end()
            for pause in (*_PAUSES, *[_PAUSES[-1]] * 10_000):
                await asyncio.sleep(pause)
                try:
                    await self._begin()
                    break
                except EngineError as error:
                    _log.error("the engine does not start: %s", error)
            _log.warning("the engine is back")

    async def _lost(self) -> str:
        """Returns, with what happened, when the process is dead or gives no sign of life."""
        worker = self._worker
        assert worker
        while True:
            answered = asyncio.Event()
            worker.send(Ping(answered.set))
            asked, used = time.monotonic(), _used(worker)
            while not answered.is_set():
                if worker.dead:
                    return "ended by itself"
                silent = time.monotonic() - asked
                works = _used(worker) - used > silent / 10
                if silent > self._silence * (_SLOWEST if works else 1):
                    return f"gave no sign of life for {silent:.0f} s"
                await asyncio.sleep(min(0.1, self._silence / 4))
            await asyncio.sleep(min(0.5, self._silence / 4))

    def _serving(self) -> LlamaEngine:
        if not self._engine or not self._worker or self._worker.dead:
            raise EngineError("the engine is not running: it was not started, or it comes back in a moment")
        return self._engine


def _used(worker: RemoteWorker) -> float:
    """Seconds of processor time."""
    try:
        times = psutil.Process(worker.pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
