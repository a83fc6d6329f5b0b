"""Any OpenAI-compatible server as the engine: requests go out over HTTP, chunks and an ending come back.

llama-server, vLLM, SGLang and Ollama are such servers. A version is a model name that the server lists: the
base is `model`, an adapter's lane is its key. Nothing is ever asked of a server again once it has begun to
speak, and nothing goes through a proxy that the settings do not name.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from math import inf

import httpx2

from agent_runtime.engine import completions
from agent_runtime.engine.completions import Event, ServedModel, ServerAway, ServerFailed, Usage
from agent_runtime.engine.interface import (
    BASE_LANE,
    Chunk,
    Finish,
    FinishReason,
    Lane,
    ModelInfo,
    Priority,
    Request,
)
from agent_runtime.engine.places import places
from agent_runtime.engine.sampling import choose_seed
from agent_runtime.engine.slots import Slots
from agent_runtime.engine.text import TextStream
from agent_runtime.errors import AdapterError, EngineBusy, EngineError, LaneUnknown
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_WARM_SECONDS = 30.0
_PAUSES = (0.1, 0.4)
_MAX_EVENT = 64 * 1024
_MAX_ANSWER = 1024 * 1024
_LETTERS_PER_TOKEN = 32


class OpenAIEngine:
    """Serves what the server at `url` (up to and with `/v1`) serves; implements `interface.Engine`.

    An empty `model` takes the first one that the server lists. `slots` requests are under way at a time
    and `queue` more may wait, players before the others; chatter leaves a quarter of all places free,
    background work half. All coroutines belong to the event loop that called `start`.
    """

    def __init__(
        self, url: str, *, model: str = "", api_key: str = "", slots: int = 16, queue: int = 64
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._headers = {"Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._count = slots
        self._most = places(slots + queue)
        self._slots = Slots(slots)
        self._client: httpx2.AsyncClient | None = None
        self._info: ModelInfo | None = None
        self._lanes = {BASE_LANE: Lane(BASE_LANE)}
        self._speaking: Counter[str] = Counter()
        self._quiet = asyncio.Condition()
        self._waits: set[asyncio.Timeout] = set()

    @property
    def info(self) -> ModelInfo:
        """The model that serves; raises `EngineError` before `start`. No server tells its file's digest, so
        that is empty; other figures that it does not tell are 0."""
        self._running()
        assert self._info
        return self._info

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The versions that serve now: first the base."""
        return tuple(self._lanes.values())

    async def start(self) -> None:
        """Ask the server what it serves. Raises `EngineError` when it does not answer or lacks our model."""
        if self._client:
            raise EngineError("an engine starts only once; make a new one")
        self._client = httpx2.AsyncClient(
            headers=self._headers,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=self._count + 1, max_keepalive_connections=self._count),
            trust_env=False,
        )
        served = await self._served()
        if not served:
            raise EngineError(f"{self._url}: the server lists no model; load one there")
        known = {model.id: model for model in served}
        chosen = known.get(self._model or served[0].id)
        if not chosen:
            raise EngineError(f"engine.model: {self._url} has no {self._model!r}, but {', '.join(known)}")
        self._info = ModelInfo(chosen.id, "", chosen.parameters, chosen.context)

    async def load(self, lane: Lane) -> None:
        """Take up a model name of the server as a version. Raises `AdapterError` when it is not listed."""
        self._running()
        known = self._lanes.get(lane.key, lane)
        if replace(known, merged=lane.merged) != lane:
            raise AdapterError(f"another adapter serves as {lane.key!r}; unload it first")
        if lane.scale != 1.0:
            raise AdapterError(f"{lane.key}: the scale of an adapter is set where the server is started")
        names = [model.id for model in await self._served()]
        if lane.key not in names:
            raise AdapterError(
                f"{self._url} lists no model {lane.key!r} (it has {', '.join(names)}); load the adapter "
                "there under this name, such as with vLLM's --lora-modules"
            )
        self._lanes[lane.key] = lane

    async def unload(self, key: str) -> None:
        """Ask the server no more for this version; returns when replies in progress have ended."""
        self._running()
        if key == BASE_LANE:
            raise EngineError("the bare base always serves")
        if self._lanes.pop(key, None) is None:
            raise LaneUnknown(key)
        async with self._quiet:
            await self._quiet.wait_for(lambda: not self._speaking[key])

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        """Have the server compute the prefix: one token is asked for, and thrown away. What it keeps of
        a talk is its own affair, and not worth a request."""
        if talk:
            return
        asked = (*messages, Message("user", ""))
        request = Request(
            asked, Sampling(temperature=0, max_tokens=1), time.monotonic() + _WARM_SECONDS, lane=lane
        )
        async with aclosing(self.generate(request)) as events:
            async for _ in events:
                pass

    async def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """Chunks and then one `Finish`. Closing the generator hangs up, which ends the reply there, too.
        Raises `EngineBusy`, `PromptTooLong`, `LaneUnknown`, or `EngineError`."""
        self._running()
        if request.lane not in self._lanes:
            raise LaneUnknown(request.lane)
        most = self._most[request.priority]
        if self._speaking.total() >= most:
            raise EngineBusy(f"{most} replies are being made or waited for; try again in a moment")
        self._speaking[request.lane] += 1
        try:
            async with aclosing(self._reply(request)) as events:
                async for event in events:
                    yield event
        finally:
            self._speaking[request.lane] -= 1
            async with self._quiet:
                self._quiet.notify_all()

    async def close(self) -> None:
        """End every generation with an `EngineError` and let go of the server."""
        client, self._client, self._info = self._client, None, None
        for wait in self._waits:
            with suppress(RuntimeError):  # its deadline has just come
                wait.reschedule(-inf)
        if client:
            await client.aclose()

    async def _reply(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        created, first = time.monotonic(), 0.0
        seed = choose_seed(request.sampling.seed)
        body = completions.body(request, request.lane or self.info.name, seed)
        text = TextStream(request.stop)
        room = request.sampling.max_tokens * _LETTERS_PER_TOKEN
        reason: FinishReason | None = None
        usage, pieces = Usage(), 0
        async with aclosing(self._events(body, request.priority)) as events:
            while True:
                try:
                    event = await self._next(events, request.deadline)
                except TimeoutError:
                    reason = reason or "deadline"
                    break
                if event is None:
                    break
                usage, reason = event.usage or usage, reason or event.reason
                if not event.text:
                    continue
                first, pieces = first or time.monotonic(), pieces + 1
                said = text.feed(event.text.encode())
                if said:
                    yield Chunk(said[:room])
                room -= len(said)
                if text.stopped or room <= 0:
                    reason = "stop" if text.stopped else "length"
                    break
        if reason is None:
            raise EngineError("the server broke off in mid-reply")
        held = text.flush()[: max(room, 0)]
        if held:
            yield Chunk(held)
        now = time.monotonic()
        yield Finish(
            reason=reason,
            seed=seed,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached,
            completion_tokens=usage.completion_tokens or pieces,
            first_token_ms=((first or now) - created) * 1000,
            total_ms=(now - created) * 1000,
            lane=request.lane,
        )

    async def _next(self, events: AsyncGenerator[Event, None], deadline: float) -> Event | None:
        """The next event, None after the last. Raises `TimeoutError` at the deadline."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()) as wait:
                self._waits.add(wait)
                return await anext(events, None)
        except TimeoutError:
            self._running()
            raise
        finally:
            self._waits.discard(wait)

    async def _events(self, body: bytes, priority: Priority) -> AsyncGenerator[Event, None]:
        """The server's events, once it is our turn; only before the first is the server asked again."""
        async with self._slots.one(priority):
            for pause in (*_PAUSES, None):
                begun = False
                try:
                    async with aclosing(self._attempt(body)) as events:
                        async for event in events:
                            begun = begun or bool(event.text)
                            yield event
                    return
                except ServerFailed:
                    if begun or pause is None:
                        raise
                # Not all at the same moment: many talks fail together when a server restarts.
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    async def _attempt(self, body: bytes) -> AsyncGenerator[Event, None]:
        headers = {"Content-Type": "application/json"}
        try:
            async with self._running().stream(
                "POST", f"{self._url}/chat/completions", content=body, headers=headers
            ) as response:
                if response.status_code != 200:
                    raise completions.refusal(response.status_code, await _content(response))
                completions.check_encoding(response.headers)
                async for sent in httpx2.EventSource(response, max_event_size=_MAX_EVENT):
                    if sent.data == completions.DONE:
                        return
                    if sent.data:
                        yield completions.event(sent.data)
        except httpx2.SSEError as error:
            raise EngineError(f"{self._url}: {error}") from error
        except httpx2.TransportError as error:
            raise ServerAway(f"{self._url}: {completions.reason(error)}") from error
        except httpx2.HTTPError as error:
            raise EngineError(f"{self._url}: {completions.reason(error)}") from error

    async def _served(self) -> list[ServedModel]:
        """The models that the server lists. Raises `ServerAway`, and `EngineError` for what will not pass."""
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self._running().stream("GET", f"{self._url}/models") as response,
            ):
                return completions.models(response.status_code, await _content(response))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            wrong = isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL)
            raise (EngineError if wrong else ServerAway)(
                f"engine.url: {self._url} cannot be used: {completions.reason(error)}; "
                "start the server, or correct it"
            ) from error

    def _running(self) -> httpx2.AsyncClient:
        if not self._client:
            raise EngineError("the engine is not running: it was not started, or it was stopped")
        return self._client


async def _content(response: httpx2.Response) -> bytes:
    """The whole body of a short answer. Raises `EngineError` for a long one."""
    completions.check_encoding(response.headers)
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > _MAX_ANSWER:
            raise EngineError(f"the server's answer is longer than {_MAX_ANSWER} bytes")
    return content
