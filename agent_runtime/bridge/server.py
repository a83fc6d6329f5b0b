"""The listening socket: game servers connect here. Frames come in and reach the application as checked
messages through a Handler; its messages go out. The only importer of `websockets`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from math import inf
from typing import Any, NamedTuple, Self

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from agent_runtime.bridge.budget import ErrorBudget
from agent_runtime.bridge.chats import ChatLogs
from agent_runtime.bridge.codec import MAX_BYTES, SUBPROTOCOLS, decode, encode
from agent_runtime.bridge.codes import Close, Code, Farewell
from agent_runtime.bridge.door import Refusal, refusal
from agent_runtime.bridge.handler import Handler
from agent_runtime.bridge.messages import ErrorReply, FromMod, Hello
from agent_runtime.bridge.outbox import Outbox
from agent_runtime.bridge.session import Session
from agent_runtime.bridge.ulid import UlidMaker
from agent_runtime.clock import Clock, SystemClock
from agent_runtime.errors import MessageError

CLOSE_SECONDS = 2.0

log = structlog.get_logger(__name__)

_library_log = logging.getLogger(f"{__name__}.websockets")
_library_log.setLevel(logging.CRITICAL)  # its tracebacks for every port scanner; we log refusals ourselves


class Limits(NamedTuple):
    """Times in seconds. `silence` is how long a game server may send no byte at all."""

    connections: int = 64
    hello: float = 10.0
    silence: float = 5.0
    write: float = 5.0


class _Link(ServerConnection):
    """One connection. Notes when bytes last came, because a slow link may need long for one message."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outbox = Outbox()
        self.errors = ErrorBudget()
        self.heard_at = self.loop.time()
        self.farewell: Farewell | None = None
        self.dropped = ""  # why it was given up
        self.left = asyncio.Event()
        self._waiting: asyncio.Timeout | None = None

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)

    @property
    def peer(self) -> str:
        address = self.remote_address
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)

    async def next_frame(self, silence: float, deadline: float = inf) -> bytes | str | None:
        """The next frame; None when told to stop, silent too long, or late. Raises ConnectionClosed."""
        while self.farewell is None:
            try:
                async with asyncio.timeout_at(min(self.heard_at + silence, deadline)) as self._waiting:
                    return await self.recv()
            except TimeoutError:
                now = self.loop.time()
                if now >= deadline:
                    self.farewell = Farewell(Close.NO_HELLO, "no hello came")
                elif now - self.heard_at >= silence:
                    self.drop(f"it said nothing for {silence:g} s")
                    return None
            finally:
                self._waiting = None
        return None

    def stop(self, farewell: Farewell) -> None:
        """End the conversation after the message at hand."""
        self.farewell = farewell
        if self._waiting is not None:
            self._waiting.reschedule(self.loop.time())

    def drop(self, why: str) -> None:
        """Give the peer up without a goodbye, so that it costs neither memory nor anybody else's time."""
        log.warning("game_server_dropped", why=why, peer=self.peer)
        self.dropped = why
        self.transport.abort()

    async def write(self, patience: float) -> None:
        """Send what the outbox holds until it is finished. A peer that does not read is dropped."""
        try:
            while (frame := await self.outbox.take()) is not None:
                async with asyncio.timeout(patience):
                    await self.send(frame)
        except TimeoutError:
            self.drop(f"it does not read: a message could not be written for {patience:g} s")
        except ConnectionClosed:
            return
        if self.outbox.overflowed:
            self.drop("it reads too slowly")


class Bridge:
    """`async with Bridge(handler, token=…) as bridge:` listens while inside. One event loop."""

    def __init__(
        self,
        handler: Handler,
        *,
        token: str,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._handler = handler
        self._token = token
        self._host = host
        self._port = port
        self._limits = limits or Limits()
        self._ulids = UlidMaker((clock or SystemClock()).wall)
        self._links: dict[str, _Link] = {}
        self._chats = ChatLogs()
        self._server: Server | None = None
        self.sessions: dict[str, Session] = {}
        """Open sessions by the game server's id."""

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            create_connection=_Link,
            process_request=self._process_request,
            subprotocols=[Subprotocol(name) for name in SUBPROTOCOLS],
            select_subprotocol=_select_subprotocol,
            compression=None,
            max_size=MAX_BYTES,
            max_queue=16,
            open_timeout=self._limits.hello,
            ping_interval=None,  # the mod pings; a ping of ours would measure round trips, not life
            close_timeout=CLOSE_SECONDS,
            server_header=None,
            logger=_library_log,
        )
        log.info("bridge_listening", host=self._host, port=self.port)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close(code=Close.GOING_AWAY, reason="the runtime stops")
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._server.wait_closed()
        except TimeoutError:  # somebody does not read our goodbye
            for link in self._links.values():
                link.transport.abort()
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port it listens on, also when it was asked for port 0."""
        assert self._server is not None, "the bridge is not open"
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        assert self._server is not None
        refused = refusal(
            origins=request.headers.get_all("Origin"),
            authorizations=request.headers.get_all("Authorization"),
            token=self._token,
        )
        if refused is None and len(self._server.connections) >= self._limits.connections:
            text = f"{self._limits.connections} game servers are connected, which is this runtime's limit."
            refused = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, text)
        if refused is None:
            return None
        log.warning("connection_refused", peer=connection.remote_address, reason=refused.text)
        return connection.respond(refused.status, refused.text + "\n")

    async def _serve(self, link: ServerConnection) -> None:
        assert isinstance(link, _Link)
        writer = asyncio.create_task(link.write(self._limits.write))
        try:
            await self._converse(link)
            if link.farewell is not None:
                link.outbox.finish()
                async with asyncio.timeout(self._limits.write):
                    await writer
                await link.close(*link.farewell)
        except ConnectionClosed:
            pass
        except TimeoutError:
            link.transport.abort()
        finally:
            writer.cancel()

    async def _converse(self, link: _Link) -> None:
        session = await self._greet(link)
        if session is None:
            return
        silence = self._limits.hello  # the mod's first ping follows our welcome: a whole round trip
        try:
            while (frame := await link.next_frame(silence)) is not None:
                silence = self._limits.silence
                await self._receive(link, session, frame)
        finally:
            await self._leave(link, session)

    async def _greet(self, link: _Link) -> Session | None:
        """The session, when a valid hello came in time."""
        deadline = link.loop.time() + self._limits.hello
        while (frame := await link.next_frame(self._limits.hello, deadline)) is not None:
            try:
                hello = decode(frame, str(link.subprotocol))
                if not isinstance(hello, Hello):
                    of = getattr(hello, "id", None)
                    raise MessageError(Code.NOT_READY, "the first message is hello", of)
            except MessageError as error:
                self._refuse(link, error)
                continue
            return await self._open(link, hello)
        return None

    async def _open(self, link: _Link, hello: Hello) -> Session | None:
        # The same game server again: its old connection is dead, or somebody copied the world.
        while (old := self._links.get(hello.server)) is not None:
            log.warning("game_server_connected_again", server=hello.server, peer=link.peer, old=old.peer)
            old.stop(Farewell(Close.REPLACED, "this game server has connected again"))
            await old.left.wait()
        chats = self._chats.of(hello.server)
        session = Session(self._ulids.make(), hello, str(link.subprotocol), link.outbox, chats, link.peer)
        self._links[hello.server] = link
        try:
            greeting = await self._handler.opened(session)
        except Exception:
            log.exception("session_not_opened", server=hello.server, peer=link.peer)
            del self._links[hello.server]
            link.left.set()
            session.send(ErrorReply(Code.INTERNAL, "the runtime could not open a session; see its log"))
            link.farewell = Farewell(Close.INTERNAL, "internal error")
            return None
        self.sessions[hello.server] = session
        for message in greeting:
            session.send(message)
        return session

    async def _receive(self, link: _Link, session: Session, frame: bytes | str) -> None:
        message: FromMod | None = None
        try:
            message = decode(frame, str(link.subprotocol))
            if session.admit(message):
                await self._handler.received(session, message)
        except MessageError as error:
            self._refuse(link, error)
        except Exception:
            log.exception("message_handler_failed", server=session.server, message=type(message).__name__)
            of = getattr(message, "id", None)
            self._refuse(link, MessageError(Code.INTERNAL, "the runtime failed on this; see its log", of))

    async def _leave(self, link: _Link, session: Session) -> None:
        session.closed = True
        parting = link.farewell.reason if link.farewell else link.dropped or link.close_reason
        session.ended = parting or "it left"
        try:
            await self._handler.closed(session)
        except Exception:
            log.exception("session_not_closed", server=session.server)
        finally:
            del self._links[session.server]
            del self.sessions[session.server]
            link.left.set()

    def _refuse(self, link: _Link, error: MessageError) -> None:
        """Answer an error; too many of them end the connection."""
        log.warning("message_refused", peer=link.peer, code=str(error.code), reason=str(error), of=error.of)
        if not link.errors.spend(link.loop.time()):
            error = MessageError(Code.FLOOD, "too many errors in a short time; the connection is closed")
            link.farewell = Farewell(Close.FLOOD, "too many errors")
        reply = ErrorReply(code=str(error.code), message=str(error), of=error.of or "")
        link.outbox.put(encode(reply, str(link.subprotocol)))


def _select_subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol:
    for name in SUBPROTOCOLS:
        if name in offered:
            return Subprotocol(name)
    raise NegotiationError(f"offer one of the subprotocols {', '.join(SUBPROTOCOLS)}")
