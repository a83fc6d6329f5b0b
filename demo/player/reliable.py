"""Luanti's transport over UDP: datagrams and the time come in, datagrams and whole packets go out. No I/O.

Three channels, each with its own numbers: reliable packets are acked, resent until acked and handed over in
order; what is larger than a datagram is split and put together again."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PROTOCOL_ID = 0x4F457403
CHANNELS = 3
MAX_DATAGRAM = 512
FIRST_NUMBER = 65500
WINDOW = 64
"""Reliable packets of a channel that may be on the way at once."""
RECEIVE_WINDOW = 0x8000
PING_AFTER = 5.0
TIMEOUT = 30.0

_HEADER = struct.Struct(">IHB")
_SPLIT = struct.Struct(">BHHH")
_CONTROL, _ORIGINAL, _SPLITTED, _RELIABLE = range(4)
_ACK, _SET_PEER_ID, _PING, _DISCO = range(4)
_LARGEST = MAX_DATAGRAM - _HEADER.size - 3
"""Bytes of one packet within a datagram, with its type but without the reliable header."""


@dataclass
class _Sent:
    """A reliable packet that has not been acked."""

    data: bytes
    first: float
    last: float
    resent: bool = False


@dataclass
class _Channel:
    next_out: int = FIRST_NUMBER
    next_in: int = FIRST_NUMBER
    next_split: int = FIRST_NUMBER
    waiting: list[bytes] = field(default_factory=list)
    sent: dict[int, _Sent] = field(default_factory=dict)
    early: dict[int, bytes] = field(default_factory=dict)
    splits: dict[int, dict[int, bytes]] = field(default_factory=dict)


class Transport:
    """One end of a connection. After every call, send what `datagrams` returns and use `packets`.

    `lost` is empty while the connection lives, then says why it ended. `own_id` 0 means that the other
    end is to give us a number, which is what a client does."""

    def __init__(self, now: float, *, own_id: int = 0) -> None:
        self.own_id = own_id
        self.lost = ""
        self._channels = [_Channel() for _ in range(CHANNELS)]
        self._out: list[bytes] = []
        self._packets: list[bytes] = []
        self._heard = now
        self._spoke = now
        self._round_trip = 0.1

    def datagrams(self) -> list[bytes]:
        """Takes what is to be sent."""
        out, self._out = self._out, []
        return out

    def packets(self) -> list[bytes]:
        """Takes the whole packets that arrived, in order within their channel."""
        packets, self._packets = self._packets, []
        return packets

    def send(self, packet: bytes, now: float, *, channel: int = 0, reliable: bool = True) -> None:
        """Sends one packet, in as many datagrams as it needs."""
        to = self._channels[channel]
        for part in self._parts(packet, to):
            if reliable:
                to.waiting.append(part)
            else:
                self._emit(channel, part, now)
        self._fill_window(channel, now)

    def disconnect(self, now: float) -> None:
        """Tells the other end that we leave."""
        self._emit(0, bytes((_CONTROL, _DISCO)), now)
        self.lost = "left"

    def receive(self, datagram: bytes, now: float) -> None:
        """Takes in one datagram; what is not of this protocol is ignored."""
        if len(datagram) <= _HEADER.size:
            return
        protocol, _sender, channel = _HEADER.unpack_from(datagram)
        if protocol != PROTOCOL_ID or channel >= CHANNELS:
            return
        self._heard = now
        try:
            self._take(channel, datagram[_HEADER.size :], now)
        except (struct.error, IndexError):
            return
        self._fill_window(channel, now)

    def tick(self, now: float) -> None:
        """Resends, pings and gives up in time; to be called about twenty times a second."""
        if self.lost:
            return
        if now - self._heard > TIMEOUT:
            self.lost = f"nothing heard for {TIMEOUT:.0f} s"
            return
        patience = min(3.0, max(0.1, 4 * self._round_trip))
        for number, channel in enumerate(self._channels):
            for packet in channel.sent.values():
                if now - packet.last > patience:
                    packet.last = now
                    packet.resent = True
                    self._emit(number, packet.data, now)
        if now - self._spoke > PING_AFTER:
            self._channels[0].waiting.append(bytes((_CONTROL, _PING)))
            self._fill_window(0, now)

    def _parts(self, packet: bytes, channel: _Channel) -> list[bytes]:
        if len(packet) + 1 <= _LARGEST:
            return [bytes((_ORIGINAL,)) + packet]
        size = _LARGEST - _SPLIT.size
        chunks = [packet[at : at + size] for at in range(0, len(packet), size)]
        number = channel.next_split
        channel.next_split = (number + 1) & 0xFFFF
        return [_SPLIT.pack(_SPLITTED, number, len(chunks), n) + chunk for n, chunk in enumerate(chunks)]

    def _emit(self, channel: int, data: bytes, now: float) -> None:
        # The header is put on here and not before: our number may have come since the packet was made.
        self._out.append(_HEADER.pack(PROTOCOL_ID, self.own_id, channel) + data)
        self._spoke = now

    def _fill_window(self, number: int, now: float) -> None:
        channel = self._channels[number]
        while channel.waiting and len(channel.sent) < WINDOW:
            data = struct.pack(">BH", _RELIABLE, channel.next_out) + channel.waiting.pop(0)
            channel.sent[channel.next_out] = _Sent(data, now, now)
            channel.next_out = (channel.next_out + 1) & 0xFFFF
            self._emit(number, data, now)

    def _take(self, number: int, data: bytes, now: float) -> None:
        kind = data[0]
        if kind == _CONTROL:
            self._control(number, data, now)
        elif kind == _ORIGINAL:
            self._packets.append(data[1:])
        elif kind == _SPLITTED:
            self._join(self._channels[number], data)
        elif kind == _RELIABLE:
            self._reliable(number, data, now)

    def _control(self, number: int, data: bytes, now: float) -> None:
        kind = data[1]
        if kind == _ACK:
            (acked,) = struct.unpack_from(">H", data, 2)
            packet = self._channels[number].sent.pop(acked, None)
            if packet is not None and not packet.resent:
                self._round_trip += 0.2 * (now - packet.first - self._round_trip)
        elif kind == _SET_PEER_ID and not self.own_id:
            (self.own_id,) = struct.unpack_from(">H", data, 2)
        elif kind == _DISCO:
            self.lost = "closed by the other end"

    def _join(self, channel: _Channel, data: bytes) -> None:
        _, number, count, index = _SPLIT.unpack_from(data)
        chunks = channel.splits.setdefault(number, {})
        chunks[index] = data[_SPLIT.size :]
        if len(chunks) == count:
            del channel.splits[number]
            self._packets.append(b"".join(chunks[n] for n in range(count)))

    def _reliable(self, number: int, data: bytes, now: float) -> None:
        (seen,) = struct.unpack_from(">H", data, 1)
        channel = self._channels[number]
        ahead = (seen - channel.next_in) & 0xFFFF
        # An old one is acked again: our first ack was lost.
        self._emit(number, struct.pack(">BBH", _CONTROL, _ACK, seen), now)
        if ahead >= RECEIVE_WINDOW:
            return
        channel.early[seen] = data[3:]
        while (inner := channel.early.pop(channel.next_in, None)) is not None:
            channel.next_in = (channel.next_in + 1) & 0xFFFF
            if inner and inner[0] != _RELIABLE:
                self._take(number, inner, now)
