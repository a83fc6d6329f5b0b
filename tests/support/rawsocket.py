"""A TCP client that can break every rule of WebSocket, and a frame encoder for it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Self

from agent_runtime.bridge.messages import SUBPROTOCOL_MSGPACK
from tests.support.game import TOKEN


def client_frame(payload: bytes, first: int = 0x82) -> bytes:
    """A masked frame; `first` is its first byte: flags and opcode."""
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + struct.pack(">H", len(payload))
    else:
        length = b"\xff" + struct.pack(">Q", len(payload))
    return bytes([first]) + length + b"\x00\x00\x00\x00" + payload


class RawSocket:
    """`async with RawSocket(port) as raw:` is a bare TCP connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._writer.transport.abort()

    async def handshake(self, headers: dict[str, str]) -> tuple[int, str]:
        """The opening handshake with these headers changed or, when empty, left out: status and all text."""
        all_headers = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": SUBPROTOCOL_MSGPACK,
            "Authorization": f"Bearer {TOKEN}",
        } | headers
        lines = [f"{name}: {value}" for name, value in all_headers.items() if value]
        await self.send(("GET / HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status = int(head.split()[1])
            body = b"" if status == 101 else await self._reader.read()
        return status, head + body.decode()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):  # the other end may have heard enough
            await self._writer.drain()

    def end(self) -> None:
        """Half-close: nothing more will be sent."""
        self._writer.write_eof()

    async def rest(self) -> bytes:
        """All that comes until the other end closes."""
        async with asyncio.timeout(10):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def close_code(self) -> int:
        """The code in the next close frame; frames before it are skipped."""
        async with asyncio.timeout(10):
            while True:
                first, length = await self._reader.readexactly(2)
                if length == 126:
                    length = int.from_bytes(await self._reader.readexactly(2), "big")
                payload = await self._reader.readexactly(length)
                if first == 0x88:
                    return int.from_bytes(payload[:2], "big")

    def stop_reading(self) -> None:
        """Read nothing any more: the other end's sends fill the buffers and then wait."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]
