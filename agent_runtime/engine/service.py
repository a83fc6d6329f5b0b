"""The engine as the event loop sees it: requests go in, chunks and an ending come out, nothing blocks.

Templates are rendered here; everything else happens on the worker's thread, whose events come over once
per step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from math import inf, isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

from agent_runtime.engine import adapterfile, merge
from agent_runtime.engine.adapterfile import Adapter
from agent_runtime.engine.interface import (
    BASE_LANE,
    Chunk,
    Finish,
    Lane,
    ModelInfo,
    Priority,
    Request,
)
from agent_runtime.engine.loading import Limits
from agent_runtime.engine.orders import AnyOrder, Cancel, Done, Load, Order, Stop, Unload
from agent_runtime.engine.places import places
from agent_runtime.engine.steps import Event
from agent_runtime.engine.worker import AnyWorker, Ready, Worker
from agent_runtime.errors import AdapterError, EngineBusy, EngineError, LaneUnknown
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

_log = logging.getLogger("townsfolk.engine")

_CLOSE_SECONDS = 5.0
_AHEAD_SECONDS = 2.0
# Loading a merged copy halts the talks for as long as reading it takes.
_MERGED_BYTES = 64 * 2**20

_Inlet = asyncio.Queue[Chunk | Finish | EngineError]


class LlamaEngine:
    """Serves one GGUF file to many talks at once; implements `interface.Engine`.

    `threads` 0 measures: all cores but one at most, for decoding collapses when a game server beside us
    finds no core free. `context` is in tokens per talk; 0 takes the model's own, 4,096 at most. `queue`
    requests may wait for one of the `slots`; chatter leaves a quarter of all places free, background work
    half. `cache_mb` is for the KV cells of prefixes and talks that pause. All coroutines belong to the
    event loop that called `start`.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        slots: int = 16,
        context: int = 0,
        queue: int = 64,
        cache_mb: int = 256,
        make_worker: Callable[..., AnyWorker] = Worker,
    ) -> None:
        self._path = path
        self._limits = Limits(threads, slots, context, cache_mb * 2**20)
        self._most = places(slots + queue)
        self._inlets: dict[object, _Inlet] = {}
        self._make_worker = make_worker
        self._loaded: Ready | None = None
        self._worker: AnyWorker | None = None
        self._lanes = {BASE_LANE: Lane(BASE_LANE)}
        self._changing = asyncio.Lock()
        self._asked: set[asyncio.Future[None]] = set()
        self._ended = asyncio.Event()

    @property
    def info(self) -> ModelInfo:
        """The model that serves; raises `EngineError` before `start`."""
        return self._running()[0].info

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The versions that serve now: first the bare base, then in the order they were loaded."""
        return tuple(self._lanes.values())

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`."""
        if self._worker:
            raise EngineError("an engine starts only once; make a new one")
        outcome: asyncio.Future[Ready | EngineError] = asyncio.get_running_loop().create_future()

        def settle(result: Ready | EngineError) -> None:
            if not outcome.done():
                outcome.set_result(result)

        over = self._over()
        self._worker = self._make_worker(
            self._path,
            self._limits,
            loaded=lambda result: over(settle, result),
            deliver=lambda events: over(self._receive, events),
            ended=lambda: over(self._ended.set),
        )
        self._worker.start()
        try:
            result = await outcome
        except asyncio.CancelledError:
            self._worker.send(Stop())
            raise
        if isinstance(result, EngineError):
            raise result
        self._loaded = result

    async def load(self, lane: Lane) -> None:
        """Check an adapter and make it ready; talks in progress go on meanwhile. Loading the same lane
        again does nothing; with another `merged`, new talks go to the new copy. Raises `AdapterError` with
        the reason why it cannot serve, and when another adapter already has this key."""
        loaded, _ = self._running()
        async with self._changing:
            known = self._lanes.get(lane.key)
            if known == lane:
                return
            if known and replace(known, merged=lane.merged) != lane:
                raise AdapterError(f"another adapter serves as {lane.key!r}; unload it first")
            if lane.adapter is None or not isfinite(lane.scale):
                raise AdapterError(f"{lane.key!r} needs an adapter, and a scale that is a number")
            adapter = await asyncio.to_thread(adapterfile.check, lane.adapter, loaded.header)
            with TemporaryDirectory(prefix="townsfolk-", ignore_cleanup_errors=True) as folder:
                merged = await asyncio.to_thread(self._merge, lane, adapter, Path(folder) / "merged.gguf")
                await self._ask(lambda done: Load(lane, adapter.digest, merged, done))
            self._lanes[lane.key] = lane

    async def unload(self, key: str) -> None:
        """Take a lane out of service: new requests for it are refused at once, those in progress end on
        it; returns when they have and its memory is free. Raises `LaneUnknown`, and `EngineError` for
        the bare base, which always serves."""
        self._running()
        if key == BASE_LANE:
            raise EngineError("the bare base always serves")
        async with self._changing:
            if key not in self._lanes:
                raise LaneUnknown(key)
            del self._lanes[key]
        await self._ask(lambda done: Unload(key, done))

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        """Read the beginning of a prompt ahead of the first request that needs it: a prefix that many
        share, or with `talk` the first message of one and the history of that talk. Raises `LaneUnknown`."""
        template = self._running()[0].template
        self._check_lane(lane)
        if talk and 2 * len(self._inlets) >= self._limits.slots:
            # Reading ahead is for idle moments; later it would only be in the way.
            return
        whole = (*messages, Message("user", ""))
        read, _ = template.split(whole, len(messages))
        shared = template.split(whole, 1)[0] if talk else read
        rest = read[len(shared) :]
        order = Order(
            shared,
            rest,
            Sampling(),
            limit=0,
            deadline=time.monotonic() + _AHEAD_SECONDS if talk else inf,
            lane=lane,
            talk=talk,
            # A version goes live once its prefixes are warm: that must not wait for a quiet hour.
            priority=Priority.BACKGROUND if talk else Priority.PLAYER,
        )
        async with aclosing(self._events(order)) as events:
            async for _ in events:
                pass

    async def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """Chunks and then one `Finish`. Closing the generator cancels within one step.
        Raises `EngineBusy` when too many wait, `PromptTooLong`, `LaneUnknown`, or `EngineError`."""
        template = self._running()[0].template
        self._check_lane(request.lane)
        most = self._most[request.priority]
        if len(self._inlets) >= most:
            raise EngineBusy(f"{most} replies are being made or waited for; try again in a moment")
        shared, rest = template.split(request.messages, request.prefix)
        order = Order(
            shared,
            rest,
            request.sampling,
            request.sampling.max_tokens,
            request.deadline,
            request.stop,
            request.lane,
            request.talk,
            request.player,
            request.priority,
            request.grammar,
        )
        async with aclosing(self._events(order)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """End every generation with an `EngineError` and free the model."""
        if not self._worker:
            return
        self._loaded = None
        self._worker.send(Stop())
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._ended.wait()
            self._worker.join()
        except TimeoutError:
            _log.error("the engine does not stop; it is left behind")
            self._receive([(ticket, EngineError("the engine hangs")) for ticket in self._inlets])
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(EngineError("the engine hangs"))

    async def _events(self, order: Order) -> AsyncGenerator[Chunk | Finish, None]:
        _, worker = self._running()
        inlet = self._inlets[order] = _Inlet()
        worker.send(order)
        over = False
        try:
            while not over:
                event = await inlet.get()
                over = not isinstance(event, Chunk)
                if isinstance(event, EngineError):
                    raise event
                yield event
        finally:
            del self._inlets[order]
            if not over:
                worker.send(Cancel(order))

    def _merge(self, lane: Lane, adapter: Adapter, path: Path) -> Path | None:
        """Write the merged copy that a lane asks for; None where there is none to have."""
        if not lane.merged or self._path.stat().st_size > _MERGED_BYTES:
            return None
        try:
            merge.write_merged(self._path, adapter, lane.scale, path)
        except (OSError, NotImplementedError) as error:
            _log.warning("lane %s is served unmerged: %s", lane.key, error)
            return None
        return path

    async def _ask(self, order: Callable[[Done], AnyOrder]) -> None:
        """Send an order that is answered, and wait for the answer."""
        _, worker = self._running()
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        over = self._over()

        def settle(error: EngineError | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error else answer.set_result(None)

        self._asked.add(answer)
        worker.send(order(lambda error: over(settle, error)))
        try:
            await answer
        finally:
            self._asked.discard(answer)

    def _over(self) -> Callable[..., None]:
        """Brings calls from the engine's thread over to this event loop."""
        loop = asyncio.get_running_loop()

        def over(callback: Callable[..., object], *arguments: object) -> None:
            try:
                loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                _log.debug("the event loop is gone; the engine ends alone")

        return over

    def _check_lane(self, key: str) -> None:
        if key not in self._lanes:
            raise LaneUnknown(key)

    def _receive(self, events: list[Event]) -> None:
        for ticket, event in events:
            inlet = self._inlets.get(ticket)
            if inlet:
                inlet.put_nowait(event)

    def _running(self) -> tuple[Ready, AnyWorker]:
        if not self._loaded or not self._worker:
            raise EngineError("the engine is not running: it was not started, or it was closed")
        return self._loaded, self._worker
