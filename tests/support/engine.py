"""An engine without a model: replies are given beforehand, and told as slowly or as badly as a test wants."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from agent_runtime.engine.interface import (
    BASE_LANE,
    Chunk,
    Finish,
    FinishReason,
    Lane,
    ModelInfo,
    Request,
)
from agent_runtime.errors import AdapterError, EngineBusy, EngineError, LaneUnknown, PromptTooLong
from agent_runtime.npc.prompt import Message


@dataclass(frozen=True, slots=True)
class Reply:
    """`text` comes word by word, the first word after `first` seconds, the others `between` seconds apart.

    `endless` repeats it until the deadline or the token limit; `error` is raised after the text;
    `gate` is waited for before the first word."""

    text: str = "Hello."
    first: float = 0.0
    between: float = 0.0
    endless: bool = False
    error: EngineError | None = None
    gate: asyncio.Event | None = None


Script = Sequence[Reply | str] | Callable[[Request], Reply | str]


class ScriptedEngine:
    """Implements `interface.Engine`. `script` is a list of replies, the last of which is repeated, or a
    function of the request. `slots` replies are made at a time, `queue` more may wait; a prompt of more
    than `context` words is too long. A lane whose adapter is no file is refused.

    What happened stands in `requests`, `warmed` (with its lanes and talks), `finished` and `cancelled`."""

    def __init__(
        self,
        script: Script = ("Hello.",),
        *,
        slots: int = 16,
        queue: int = 64,
        context: int = 1_000,
        start_error: EngineError | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.warmed: list[tuple[Message, ...]] = []
        self.warmed_lanes: list[str] = []
        self.warmed_talks: list[str] = []
        self.finished: list[Finish] = []
        self.cancelled = 0
        self._script = script
        self._most = slots + queue
        self._slots = asyncio.Semaphore(slots)
        self._context = context
        self._start_error = start_error
        self._open = 0
        self._lanes = {BASE_LANE: Lane(BASE_LANE)}
        self._speaking: Counter[str] = Counter()
        self._quiet = asyncio.Condition()
        self._running = False
        self._closed = asyncio.Event()

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("Scripted", "0" * 64, 1, self._context)

    async def start(self) -> None:
        if self._start_error:
            raise self._start_error
        self._running = True

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return tuple(self._lanes.values())

    async def load(self, lane: Lane) -> None:
        self._check_running()
        if replace(self._lanes.get(lane.key, lane), merged=lane.merged) != lane:
            raise AdapterError(f"another adapter already serves as {lane.key!r}; unload it first")
        if lane.adapter is None or not lane.adapter.is_file():
            raise AdapterError(f"{lane.adapter}: cannot be read")
        self._lanes[lane.key] = lane

    async def unload(self, key: str) -> None:
        self._check_running()
        if key == BASE_LANE:
            raise EngineError("the bare base always serves")
        self._check_lane(key)
        del self._lanes[key]
        async with self._quiet:
            await self._quiet.wait_for(lambda: not self._speaking[key])

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        self._check_running()
        self._check_lane(lane)
        self.warmed.append(messages)
        self.warmed_lanes.append(lane)
        self.warmed_talks.append(talk)

    async def close(self) -> None:
        self._running = False
        self._closed.set()

    async def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        self._check_running()
        self._check_lane(request.lane)
        if self._open >= self._most:
            raise EngineBusy("every slot and the queue are full")
        words = sum(len(message.content.split()) for message in request.messages)
        if words > self._context:
            raise PromptTooLong(words, self._context)
        self.requests.append(request)
        number = len(self.requests) - 1
        created = time.monotonic()
        self._open += 1
        self._speaking[request.lane] += 1
        ended = False
        try:
            async with self._slots:
                async for event in self._tell(request, self._reply(request, number), words, created):
                    ended = isinstance(event, Finish)
                    yield event
        except EngineError:
            ended = True
            raise
        finally:
            self._open -= 1
            self.cancelled += not ended
            self._speaking[request.lane] -= 1
            async with self._quiet:
                self._quiet.notify_all()

    def _reply(self, request: Request, number: int) -> Reply:
        if callable(self._script):
            reply = self._script(request)
        else:
            reply = self._script[min(number, len(self._script) - 1)]
        return Reply(reply) if isinstance(reply, str) else reply

    async def _tell(
        self, request: Request, reply: Reply, prompt: int, created: float
    ) -> AsyncGenerator[Chunk | Finish, None]:
        words = re.findall(r"\s*\S+\s*$|\s*\S+", reply.text)
        reason: FinishReason = "stop"
        first: float | None = None
        said = 0
        for word in itertools.cycle(words) if reply.endless else words:
            if not await self._wait(reply, said, request.deadline):
                reason = "deadline"
                break
            first = first or time.monotonic()
            said += 1
            yield Chunk(word)
            if said >= request.sampling.max_tokens:
                reason = "length"
                break
        if reply.error and reason != "deadline":
            raise reply.error
        now = time.monotonic()
        finish = Finish(
            reason=reason,
            seed=request.sampling.seed or 1,
            prompt_tokens=prompt,
            cached_tokens=0,
            completion_tokens=said,
            first_token_ms=((first or now) - created) * 1000,
            total_ms=(now - created) * 1000,
            lane=request.lane,
        )
        self.finished.append(finish)
        yield finish

    async def _wait(self, reply: Reply, said: int, deadline: float) -> bool:
        """Let the time before the next word pass; false when the deadline came first."""

        async def due() -> None:
            if reply.gate and not said:
                await reply.gate.wait()
            await asyncio.sleep(reply.between if said else reply.first)

        tasks = [asyncio.ensure_future(due()), asyncio.ensure_future(self._closed.wait())]
        try:
            await asyncio.wait(
                tasks, timeout=max(0.0, deadline - time.monotonic()), return_when=asyncio.FIRST_COMPLETED
            )
            self._check_running()
            return tasks[0].done()
        finally:
            for task in tasks:
                task.cancel()

    def _check_lane(self, key: str) -> None:
        if key not in self._lanes:
            raise LaneUnknown(key)

    def _check_running(self) -> None:
        if not self._running:
            raise EngineError("the engine is not running: it was not started, or it was closed")
