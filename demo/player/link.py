"""The UDP socket of one player: packets of the server are handed on with the time they came, ours go out.

The only place of the player that touches the network and the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from demo.errors import ConnectionLost
from demo.player.packets import CHANNEL, UNRELIABLE, PacketError, ToServer, Writer
from demo.player.reliable import Transport

_TICK = 0.05


class Link(asyncio.DatagramProtocol):
    """A connection to a server. `on_packet(packet, at)` is called for each packet that comes in; whoever
    waits in `changed()` goes on after each. `lost` is empty, or says why the connection is over."""

    def __init__(self, on_packet: Callable[[bytes, float], None]) -> None:
        self._on_packet = on_packet
        self._transport = Transport(time.perf_counter())
        self._socket: asyncio.DatagramTransport | None = None
        self._changed = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self.lost = ""

    @classmethod
    async def open(cls, host: str, port: int, on_packet: Callable[[bytes, float], None]) -> Link:
        """Opens the socket and asks the server for a peer number."""
        loop = asyncio.get_running_loop()
        socket, link = await loop.create_datagram_endpoint(lambda: cls(on_packet), remote_addr=(host, port))
        link._socket = socket
        # An empty command; the server answers any first packet with our number.
        link._transport.send(b"\0\0", time.perf_counter())
        link._flush()
        link._ticker = asyncio.create_task(link._tick())
        return link

    @property
    def numbered(self) -> bool:
        """Whether the server has given us a peer number."""
        return self._transport.own_id != 0

    def send(self, command: ToServer, body: Writer) -> None:
        """Sends one packet; raises ConnectionLost when there is no connection any more."""
        if self.lost:
            raise ConnectionLost(f"the connection is over: {self.lost}")
        packet = command.to_bytes(2) + body.take()
        reliable = command not in UNRELIABLE
        self._transport.send(packet, time.perf_counter(), channel=CHANNEL.get(command, 0), reliable=reliable)
        self._flush()

    async def changed(self) -> None:
        """Returns when something has come in, or the connection is over."""
        await self._changed.wait()

    def close(self) -> None:
        """Tells the server that we leave, and closes the socket."""
        if not self.lost:
            self._transport.disconnect(time.perf_counter())
        self._flush()
        if self._ticker:
            self._ticker.cancel()
        if self._socket:
            self._socket.close()
        self._wake()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        at = time.perf_counter()
        self._transport.receive(data, at)
        for packet in self._transport.packets():
            try:
                self._on_packet(packet, at)
            except PacketError as error:
                self._transport.disconnect(at)
                self.lost = f"a packet of the server could not be read: {error}"
        self._flush()
        self._wake()

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, ConnectionRefusedError) and not self.lost:
            self.lost = "no server listens at that address"
            self._wake()

    async def _tick(self) -> None:
        while not self.lost:
            await asyncio.sleep(_TICK)
            self._transport.tick(time.perf_counter())
            self._flush()

    def _flush(self) -> None:
        for datagram in self._transport.datagrams():
            if self._socket and not self._socket.is_closing():
                self._socket.sendto(datagram)
        if self._transport.lost and not self.lost:
            self.lost = self._transport.lost
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
