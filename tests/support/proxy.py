"""Bad networks as an object: a real TCP proxy between two programs, which slices, delays, cuts or swallows.

async with Proxy(bridge.port, latency=2.0, jitter=1.0) as proxy:
    …  # connect to proxy.port
    proxy.reset(after=100)
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

CHUNK = 65536


class Proxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`.

    `slice_bytes`: at most so many bytes per segment, each sent by itself. `latency` ± `jitter`: seconds that
    each piece is held back, each way; the order of bytes is kept, as TCP does. Every knob may be turned
    while it runs.
    """

    def __init__(
        self,
        target: int,
        *,
        slice_bytes: int = 0,
        latency: float = 0.0,
        jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.target = target
        self.slice_bytes = slice_bytes
        self.latency = latency
        self.jitter = jitter
        self.connections = 0
        self.forwarded = 0
        """Bytes that came through, both ways together."""
        self._random = random.Random(seed)
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._reset_at: int | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def black_hole(self) -> None:
        """From now on nothing comes through and nobody is told: the link is half open."""
        self._open.clear()

    def reset(self, after: int = 0) -> None:
        """Cut all connections with a TCP reset, `after` so many more bytes have come through."""
        if after:
            self._reset_at = self.forwarded + after
        else:
            self._cut()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One way of one connection: read at once, hand on when the time has come."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        deliverer = asyncio.create_task(self._deliver(held, sink))
        loop = asyncio.get_running_loop()
        try:
            while True:
                data = await source.read(CHUNK)
                delay = self.latency + self._random.uniform(-self.jitter, self.jitter)
                held.put_nowait((loop.time() + max(0.0, delay), data))
                if not data:
                    await deliverer
                    return
        except ConnectionError:
            await self._open.wait()
            sink.transport.abort()
        finally:
            deliverer.cancel()

    async def _deliver(self, held: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                due, data = await held.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self._open.wait()
                if not data:
                    sink.close()
                    return
                for piece in self._pieces(data):
                    if self._reset_at is not None and self.forwarded + len(piece) >= self._reset_at:
                        sink.write(piece[: self._reset_at - self.forwarded])
                        self._cut()
                        return
                    sink.write(piece)
                    self.forwarded += len(piece)
                    await sink.drain()
        except ConnectionError:
            return

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        size = self.slice_bytes or len(data)
        for start in range(0, len(data), size):
            yield data[start : start + size]

    def _cut(self) -> None:
        self._reset_at = None
        for writer in self._writers:
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                # Linger of zero seconds: close() sends RST instead of FIN.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self._writers.clear()


@contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a listener that never accepts and whose backlog is full: a connect to it hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        try:
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()
