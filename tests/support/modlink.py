"""The mod's network link in a process of its own (`link_driver.lua`), and a runtime of few words for it.

async with PlainRuntime() as runtime, ModLink(runtime.port, folder) as link:
    await link.until_up()
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from agent_runtime.bridge.messages import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK

ROOT = Path(__file__).parents[2]
TOKEN = "right-token"
PATIENCE = 20.0


class PlainRuntime:
    """A `websockets` server that greets, answers pings, and acks ratings when `acks`. `messages` holds all it
    ever heard, pings left out."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: Server | None = None
        self.acks = True
        self.reading = asyncio.Event()
        self.reading.set()
        self.messages: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            process_request=self._check_token,
            subprotocols=[Subprotocol(SUBPROTOCOL_MSGPACK), Subprotocol(SUBPROTOCOL_JSON)],
            ping_interval=None,
            max_queue=1,
            close_timeout=0.2,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self.reading.set()
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def say(self, message: dict[str, Any]) -> None:
        """To the newest connection."""
        await self._send(self.connections[-1], message)

    async def _send(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        as_msgpack = connection.subprotocol == SUBPROTOCOL_MSGPACK
        await connection.send(msgpack.packb(message) if as_msgpack else json.dumps(message))

    def _check_token(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong token\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        try:
            async for data in connection:
                message = json.loads(data) if isinstance(data, str) else msgpack.unpackb(data)
                await self._answer(connection, message)
                await self.reading.wait()
        except ConnectionClosed:
            return

    async def _answer(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            await self._send(connection, {"type": "pong", "n": message["n"]})
            return
        self.messages.append(message)
        if message["type"] == "hello":
            welcome = {"type": "welcome", "protocol": 1, "heartbeat": 2.0, "personas": []}
            await self._send(connection, welcome)
        elif message["type"] == "rating" and self.acks:
            await self._send(connection, {"type": "ack", "ids": [message["id"]]})


class ModLink:
    """Drives the mod's `link.lua` under LuaJIT with the real LuaSocket. Events are gathered in `messages` and
    `log`; commands are answered one after the other."""

    def __init__(self, port: int, folder: Path, **settings: Any) -> None:
        self._settings = {
            "port": port,
            "token": TOKEN,
            "codec": "msgpack",
            "storage": str(folder / "storage.json"),
        } | settings
        self._process: Process | None = None
        self._control: asyncio.Server | None = None
        self._connected = asyncio.Event()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self.messages: list[dict[str, Any]] = []
        self.log: list[str] = []

    async def __aenter__(self) -> Self:
        self._control = await asyncio.start_server(self._listen, "127.0.0.1", 0)
        port = self._control.sockets[0].getsockname()[1]
        self._process = await asyncio.create_subprocess_exec(
            "luajit",
            str(ROOT / "tests/support/link_driver.lua"),
            str(port),
            json.dumps(self._settings),
            cwd=ROOT / "luanti_bridge_mod",
        )
        async with asyncio.timeout(PATIENCE):
            await self._connected.wait()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process is not None
        assert self._control is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._writer is not None:
            self._writer.transport.abort()
        self._control.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._connected.set()
        while line := await reader.readline():
            event = json.loads(line)
            if event["event"] == "message":
                self.messages.append(event["message"])
            elif event["event"] == "log":
                self.log.append(f"{event['level']}: {event['text']}")
            else:
                self._answers.put_nowait(event)

    async def call(self, command: str, argument: Any = None) -> dict[str, Any]:
        """One command, and its answer."""
        assert self._writer is not None
        self._writer.write(json.dumps([command, argument]).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await self._answers.get()

    async def until(self, state: str, within: float = PATIENCE) -> float:
        """Wait until the link is in that state (`up` or `not up`, or a name); the seconds it took."""
        began = time.monotonic()
        while True:
            status = await self.call("status")
            took = time.monotonic() - began
            if state in (status["state"], "up" if status["up"] else "not up"):
                return took
            assert took < within, f"not {state} within {within} s: {status}"
            await asyncio.sleep(0.02)

    async def heard(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many messages came from the runtime, welcomes and acks left out."""

        def found() -> list[dict[str, Any]]:
            return [m for m in self.messages if m["type"] not in ("welcome", "ack")]

        await eventually(lambda: len(found()) >= count)
        return found()


async def eventually(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until `condition()` is true."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.01)
