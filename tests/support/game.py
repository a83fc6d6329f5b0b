"""A game server as the bridge sees it: a real WebSocket client that says hello, sends maps and reads maps."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from agent_runtime import __version__
from agent_runtime.bridge.messages import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from agent_runtime.bridge.ulid import UlidMaker

TOKEN = "a-token-for-tests-and-nothing-else"
SERVER = "01J0000000000000000000SRVR"
MIRA = "01J0000000000000000000M1RA"
make_id = UlidMaker().make
_counter = itertools.count(1)


def hello(**fields: Any) -> dict[str, Any]:
    """A valid hello: one NPC, Mira, and the player alice."""
    return {
        "type": "hello",
        "protocol": 1,
        "server": SERVER,
        "server_name": "Testing Town",
        "engine": "5.6.1",
        "game": "minetest",
        "mod": __version__,
        "catalogue": "0" * 40,
        "npcs": [{"npc": MIRA, "name": "Mira", "persona": "mira", "pos": {"x": 0, "y": 8, "z": 0}}],
        "players": ["alice"],
    } | fields


def snapshot(**fields: Any) -> dict[str, Any]:
    """A valid snapshot."""
    return {
        "taken": 100.5,
        "time_of_day": 0.5,
        "npc_pos": {"x": 0, "y": 8, "z": 0},
        "player_pos": {"x": 3.5, "y": 8, "z": 0},
        "near": [{"kind": "place", "name": "river", "distance": 24.3, "direction": "north-east"}],
    } | fields


def chat(text: str = "hello Mira", **fields: Any) -> dict[str, Any]:
    """A valid chat of alice with Mira, with an id of its own."""
    return {
        "type": "chat",
        "id": make_id(),
        "npc": MIRA,
        "player": "alice",
        "text": text,
        "how": "named",
        "snapshot": snapshot(),
    } | fields


class Game:
    """`async with Game(port) as game:` is connected inside. Says hello first, unless told not to."""

    def __init__(
        self,
        port: int,
        *,
        subprotocol: str = SUBPROTOCOL_MSGPACK,
        token: str = TOKEN,
        greeting: dict[str, Any] | None = None,
        silent: bool = False,
    ) -> None:
        self.subprotocol = subprotocol
        self._url = f"ws://127.0.0.1:{port}"
        self._token = token
        self._greeting = None if silent else greeting or hello()
        self.socket: ClientConnection
        self.welcome: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self.socket = await connect(
            self._url,
            subprotocols=[self.subprotocol],  # type: ignore[list-item]
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            ping_interval=None,
            close_timeout=1,
            proxy=None,
        )
        if self._greeting is not None:
            await self.send(self._greeting)
            self.welcome = await self.receive()
            assert self.welcome["type"] == "welcome", self.welcome
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.socket.close()

    def pack(self, message: Any) -> bytes | str:
        return json.dumps(message) if self.subprotocol == SUBPROTOCOL_JSON else msgpack.packb(message)

    async def send(self, message: Any) -> None:
        await self.socket.send(self.pack(message))

    async def receive(self) -> dict[str, Any]:
        frame = await self.socket.recv()
        message = json.loads(frame) if isinstance(frame, str) else msgpack.unpackb(frame)
        assert isinstance(message, dict)
        return message

    async def ask(self, message: Any) -> dict[str, Any]:
        """Send and take the next message."""
        await self.send(message)
        return await self.receive()

    async def is_alive(self) -> bool:
        """Does the connection still answer a ping?"""
        n = next(_counter)
        return await self.ask({"type": "ping", "n": n}) == {"type": "pong", "n": n}

    async def settle(self) -> None:
        """Return when all that was sent before has been dealt with; other answers are skipped."""
        pong = {"type": "pong", "n": next(_counter)}
        await self.send(pong | {"type": "ping"})
        while await self.receive() != pong:
            pass

    async def close_code(self) -> int:
        """The code with which the bridge closes this connection; 1006 when it just ends."""
        try:
            async with asyncio.timeout(10):
                while True:
                    await self.socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
