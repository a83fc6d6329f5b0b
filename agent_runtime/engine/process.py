"""The engine in a process of its own, watched: requests go in, chunks come out, crashes stay there.

A dead process is noticed at once, and within five seconds one that hangs, whether it sleeps or spins; one
that works shows it after every step and out of long ones. Its replies end with an `EngineDown`, and another
process takes over with the same versions.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from agent_runtime.engine.interface import BASE_LANE, Chunk, Finish, Lane, ModelInfo, Request
from agent_runtime.engine.orders import Ping
from agent_runtime.engine.remote import RemoteWorker
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import EngineDown, EngineEnded, EngineError
from agent_runtime.npc.prompt import Message

_log = logging.getLogger("townsfolk.engine")

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_TIMES = 5
"""So many times as long as the first start may a later one take, for others may be busy."""


class IsolatedEngine:
    """`LlamaEngine` in another process; implements `interface.Engine` and takes the same arguments.

    `silence` is how many seconds the engine's thread may give no sign of life, and `patience` how many more
    than five times its first start the engine may take to come back, before it is killed and tried again.
    """

    def __init__(self, path: Path, *, silence: float = 3.5, patience: float = 30.0, **options: Any) -> None:
        self._path = path
        self._options = options
        self._silence = silence
        self._patience = patience
        self._engine: LlamaEngine | None = None
        self._worker: RemoteWorker | None = None
        self._info: ModelInfo | None = None
        self._lanes = {BASE_LANE: Lane(BASE_LANE)}
        self._watcher: asyncio.Task[None] | None = None
        self._tell_lost: Callable[[], None] = lambda: None
        self._tell_back: Callable[[], None] = lambda: None

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

    def follow(self, lost: Callable[[], None], back: Callable[[], None]) -> None:
        """Call `lost` whenever the process is gone, and `back` when another one serves: it has read nothing
        yet, and `lanes` says which versions came back."""
        self._tell_lost, self._tell_back = lost, back

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`, or `EngineDown` when the process ends meanwhile."""
        if self._watcher:
            raise EngineError("an engine starts only once; make a new one")
        began = time.monotonic()
        await self._begin()
        self._patience += _TIMES * (time.monotonic() - began)
        self._watcher = asyncio.create_task(self._watch())

    async def load(self, lane: Lane) -> None:
        """As `LlamaEngine.load`; a version that was loaded comes back after a crash. Raises `EngineEnded`
        when the process ends meanwhile."""
        engine = self._serving()
        try:
            await engine.load(lane)
        except EngineDown as error:
            raise EngineEnded(f"{error} while it loaded {lane.adapter}") from error
        self._lanes[lane.key] = lane

    async def unload(self, key: str) -> None:
        """As `LlamaEngine.unload`. While the engine is away, the version just does not come back with it."""
        known = key in self._lanes
        if key != BASE_LANE:
            self._lanes.pop(key, None)
        if not known or not self._down:
            await self._serving().unload(key)

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        """As `LlamaEngine.warm`."""
        await self._serving().warm(messages, lane, talk)

    def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """As `LlamaEngine.generate`; raises `EngineDown` while the engine comes back."""
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
        try:
            await engine.start()
            await self._bring_back(engine)
        except BaseException:
            if self._worker:
                await self._worker.kill()
            await engine.close()
            raise
        self._info = engine.info
        self._engine = engine

    async def _bring_back(self, engine: LlamaEngine) -> None:
        """Load all lanes again, without those that were unloaded meanwhile, and those that cannot be."""
        assert self._worker
        while lane := next((one for one in self._lanes.values() if one not in engine.lanes), None):
            try:
                await engine.load(lane)
            except EngineError as error:
                _log.error("version %s does not come back: %s", lane.key, error)
                # If the process ended over it, it would do so the next time.
                self._lanes.pop(lane.key, None)
                if self._worker.dead:
                    raise
        for lane in engine.lanes:
            if lane.key not in self._lanes:
                await engine.unload(lane.key)

    def _make_worker(self, *arguments: Any, **options: Any) -> RemoteWorker:
        self._worker = RemoteWorker(*arguments, **options)
        return self._worker

    async def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine:
            await engine.close()
        if self._worker:
            await self._worker.kill()

    async def _watch(self) -> None:
        while True:
            try:
                _log.error("the engine %s; it is started again", await self._lost())
                assert self._worker
                await self._worker.kill()
                await self._end()
                self._tell_lost()
                await self._restart()
                self._tell_back()
            except Exception:
                # Whatever it is: without a watcher the engine would never come back.
                _log.exception("the engine is not watched for a moment")
                await asyncio.sleep(_PAUSES[1])

    async def _restart(self) -> None:
        """Try until the engine is back."""
        for pause in itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1])):
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._patience):
                    await self._begin()
            except TimeoutError:
                _log.error("the engine does not start: it took more than %.0f s", self._patience)
            except Exception as error:
                _log.error(
                    "the engine does not start: %s", error, exc_info=not isinstance(error, EngineError)
                )
            else:
                _log.warning("the engine is back")
                return

    async def _lost(self) -> str:
        """Returns, with what happened, when the process is dead or gives no sign of life."""
        worker = self._worker
        assert worker
        while True:
            answered = asyncio.Event()
            worker.send(Ping(answered.set))
            asked = time.monotonic()
            while not answered.is_set():
                if worker.dead:
                    return "ended by itself"
                silent = time.monotonic() - asked
                if silent > self._silence:
                    return f"gave no sign of life for {silent:.0f} s"
                await asyncio.sleep(min(0.1, self._silence / 4))
            await asyncio.sleep(min(0.25, self._silence / 4))

    @property
    def _down(self) -> bool:
        return not self._engine or not self._worker or self._worker.dead

    def _serving(self) -> LlamaEngine:
        if self._down or not self._engine:
            raise EngineDown("the engine is not running: it was not started, or it comes back in a moment")
        return self._engine
