"""A small OpenAI-compatible server over any `Engine`: it lists the lanes as models and streams completions.

HTTP/1.1 is h11's; the rest is plain asyncio. A `Fault` in `faults` spoils one request each, first come first
served, so that a test can have a server as slow or as broken as real ones are.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import h11

from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Finish, Request
from agent_runtime.errors import EngineBusy, EngineError, PromptTooLong
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

Fault = Callable[["Connection"], Awaitable[None]]


class OpenAIServer:
    """Use as `async with OpenAIServer(engine) as server:`; the engine is started by whoever made it.

    `bodies` holds what was asked; `hung_up` counts clients that left in mid-reply. With a status in
    `starting` the list of models is refused, as while a server starts behind a proxy."""

    def __init__(self, engine: Engine, *, model: str = "base", api_key: str = "", usage: bool = True) -> None:
        self.engine = engine
        self.model = model
        self.api_key = api_key
        self.usage = usage
        self.faults: deque[Fault] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.hung_up = 0
        self.starting = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until what happened here makes this true. Raises `TimeoutError` after five seconds."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(happened)

    async def _tell_news(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            connection = Connection(reader, writer)
            while await self._serve(connection):
                pass
        except (ConnectionError, h11.RemoteProtocolError, h11.LocalProtocolError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, connection: Connection) -> bool:
        """Answer one request; whether another may come."""
        asked = await connection.request()
        if asked is None:
            return False
        method, path, key, content = asked
        if self.api_key and key != f"Bearer {self.api_key}":
            await connection.answer(401, {"error": {"message": "Incorrect API key provided"}})
        elif (method, path) == ("GET", "/v1/models") and self.starting:
            await connection.answer(self.starting, {"error": "starting"})
        elif (method, path) == ("GET", "/v1/models"):
            names = [lane.key or self.model for lane in self.engine.lanes]
            await connection.answer(200, {"object": "list", "data": [{"id": name} for name in names]})
        elif (method, path) == ("POST", "/v1/chat/completions"):
            body = json.loads(content)
            self.bodies.append(body)
            await self._tell_news()
            if self.faults:
                await self.faults.popleft()(connection)
            else:
                await self._complete(connection, body)
        else:
            await connection.answer(404, {"error": {"message": f"no {path}"}})
        return connection.next()

    async def _complete(self, connection: Connection, body: dict[str, Any]) -> None:
        work = asyncio.ensure_future(self._tell(connection, body))
        gone = asyncio.ensure_future(connection.gone())
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        self.hung_up += not work.done()
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        result = (await asyncio.gather(work, return_exceptions=True))[0]
        await self._tell_news()
        if isinstance(result, Exception):
            raise result

    async def _tell(self, connection: Connection, body: dict[str, Any]) -> None:
        lane = BASE_LANE if body["model"] == self.model else body["model"]
        sampling = Sampling(
            temperature=body["temperature"],
            top_p=body["top_p"],
            min_p=body.get("min_p", 0.0),
            repeat_penalty=body.get("repeat_penalty", 1.0),
            seed=body["seed"],
            max_tokens=body["max_tokens"],
        )
        messages = tuple(Message(each["role"], each["content"]) for each in body["messages"])
        stop = tuple(body.get("stop", ()))
        request = Request(messages, sampling, time.monotonic() + 60, stop=stop, lane=lane)
        try:
            async with aclosing(self.engine.generate(request)) as events:
                async for event in events:
                    if isinstance(event, Chunk):
                        await connection.event({"choices": [{"index": 0, "delta": {"content": event.text}}]})
                    else:
                        await self._finish(connection, event)
        except EngineBusy as error:
            await connection.answer(429, {"error": {"message": str(error)}})
        except PromptTooLong as error:
            refused = {
                "message": f"maximum context length is {error.limit} tokens, you asked for {error.tokens}",
                "code": "context_length_exceeded",
            }
            await connection.answer(400, {"error": refused})
        except EngineError as error:
            await connection.answer(500, {"error": {"message": str(error)}})

    async def _finish(self, connection: Connection, finish: Finish) -> None:
        reason = "length" if finish.reason == "length" else "stop"
        await connection.event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if self.usage:
            counted = {
                "prompt_tokens": finish.prompt_tokens,
                "completion_tokens": finish.completion_tokens,
                "prompt_tokens_details": {"cached_tokens": finish.cached_tokens},
            }
            await connection.event({"choices": [], "usage": counted})
        await connection.data(b"data: [DONE]\n\n")
        await connection.end()


class Connection:
    """One client: requests come out, answers and events go in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER)

    async def request(self) -> tuple[str, str, str, bytes] | None:
        """Method, path, authorization and body; None when the client left."""
        head, content = None, b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
        assert head
        key = dict(head.headers).get(b"authorization", b"").decode()
        return head.method.decode(), head.target.decode(), key, content

    async def answer(self, status: int, content: dict[str, Any]) -> None:
        """A whole JSON answer."""
        await self.begin(status, "application/json")
        await self.data(json.dumps(content).encode())
        await self.end()

    async def begin(
        self, status: int = 200, kind: str = "text/event-stream", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """The head of an answer whose body follows."""
        await self._send(h11.Response(status_code=status, headers=[("Content-Type", kind), *headers]))

    async def event(self, content: dict[str, Any]) -> None:
        """One server-sent event."""
        await self.data(f"data: {json.dumps(content)}\n\n".encode())

    async def data(self, content: bytes) -> None:
        """Some of the body; without a head so far, one of a stream goes before it."""
        if self._http.our_state is h11.SEND_RESPONSE:
            await self.begin()
        await self._send(h11.Data(data=content))

    async def end(self) -> None:
        """The end of the body."""
        await self._send(h11.EndOfMessage())

    def reset(self) -> None:
        """Drop the connection as a server that dies does."""
        self._writer.transport.abort()

    def next(self) -> bool:
        """Whether another request may follow on this connection."""
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            return False
        self._http.start_next_cycle()
        return True

    async def gone(self) -> None:
        """Returns when the client has hung up."""
        while data := await self._reader.read(65536):
            self._http.receive_data(data)  # the next request, early

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
