"""The engine as the event loop sees it: requests go in, chunks and an ending come out, nothing blocks.

Templates are rendered here; everything else happens on the worker's thread, whose events come over once
per step.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from math import inf
from pathlib import Path

from agent_runtime.engine.interface import Chunk, Finish, ModelInfo, Request
from agent_runtime.engine.loading import Limits, Loaded
from agent_runtime.engine.steps import Event
from agent_runtime.engine.worker import Cancel, Order, Stop, Worker
from agent_runtime.errors import EngineBusy, EngineError
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

_log = logging.getLogger("townsfolk.engine")

_CLOSE_SECONDS = 5.0

_Inlet = asyncio.Queue[Chunk | Finish | EngineError]


class LlamaEngine:
    """Serves one GGUF file to many talks at once; implements `interface.Engine`.

    `threads` 0 means all cores but one: decoding collapses when a game server beside us finds no core
    free. `context` is in tokens per talk; 0 takes the model's own, 4,096 at most. `queue` requests may
    wait for one of the `slots`. All coroutines belong to the event loop that called `start`.
    """

    def __init__(
        self, path: Path, *, threads: int = 0, slots: int = 16, context: int = 0, queue: int = 64
    ) -> None:
        self._path = path
        self._limits = Limits(threads or max(1, _cores() - 1), slots, context)
        self._most = slots + queue
        self._inlets: dict[object, _Inlet] = {}
        self._loaded: Loaded | None = None
        self._worker: Worker | None = None
        self._ended = asyncio.Event()

    @property
    def info(self) -> ModelInfo:
        """The model that serves; raises `EngineError` before `start`."""
        return self._running()[0].info

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`."""
        if self._worker:
            raise EngineError("an engine starts only once; make a new one")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Loaded | EngineError] = loop.create_future()

        def over(callback: Callable[..., object], *arguments: object) -> None:
            try:
                loop.call_soon_threadsafe(callback, *arguments)
            except RuntimeError:
                _log.debug("the event loop is gone; the engine ends alone")

        def settle(result: Loaded | EngineError) -> None:
            if not outcome.done():
                outcome.set_result(result)

        self._worker = Worker(
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

    async def warm(self, messages: tuple[Message, ...]) -> None:
        """Compute a shared prefix ahead of the first request that needs it."""
        template = self._running()[0].template
        shared, rest = template.split((*messages, Message("user", "")), len(messages))
        order = Order(shared, rest, Sampling(), limit=0, deadline=inf)
        async with aclosing(self._events(order)) as events:
            async for _ in events:
                pass

    async def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """Chunks and then one `Finish`. Closing the generator cancels within one step.
        Raises `EngineBusy` when too many wait, `PromptTooLong`, or `EngineError`."""
        template = self._running()[0].template
        if len(self._inlets) >= self._most:
            raise EngineBusy(f"{self._most} replies are being made or waited for; try again in a moment")
        shared, rest = template.split(request.messages, request.prefix)
        sampling = request.sampling
        order = Order(shared, rest, sampling, sampling.max_tokens, request.deadline, request.stop)
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

    def _receive(self, events: list[Event]) -> None:
        for ticket, event in events:
            inlet = self._inlets.get(ticket)
            if inlet:
                inlet.put_nowait(event)

    def _running(self) -> tuple[Loaded, Worker]:
        if not self._loaded or not self._worker:
            raise EngineError("the engine is not running: it was not started, or it was closed")
        return self._loaded, self._worker


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
