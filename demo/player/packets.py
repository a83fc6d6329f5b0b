"""Luanti's packets: the commands a headless player needs, and how their fields are written and read.

Integers are big-endian, floats IEEE 754 single; positions on the wire are in tenths of a node."""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from typing import NamedTuple

from demo.errors import DemoError

PROTOCOL_MIN = 37
PROTOCOL_MAX = 51
SERIALIZATION = 29
FORMSPEC_API = 6
TENTHS = 10.0
"""Wire units per node (the engine's BS)."""

INVENTORY_HAS_LENGTH = 52
"""From this protocol version on the inventory comes as a counted string."""


class ToClient(IntEnum):
    HELLO = 0x02
    AUTH_ACCEPT = 0x03
    ACCESS_DENIED = 0x0A
    BLOCKDATA = 0x20
    INVENTORY = 0x27
    MEDIA_PUSH = 0x2C
    CHAT_MESSAGE = 0x2F
    ACTIVE_OBJECT_REMOVE_ADD = 0x31
    ACTIVE_OBJECT_MESSAGES = 0x32
    HP = 0x33
    MOVE_PLAYER = 0x34
    ANNOUNCE_MEDIA = 0x3C
    PRIVILEGES = 0x41
    SHOW_FORMSPEC = 0x44
    UPDATE_PLAYER_LIST = 0x56
    MOVE_PLAYER_REL = 0x5D
    SRP_BYTES_S_B = 0x60


class ToServer(IntEnum):
    INIT = 0x02
    INIT2 = 0x11
    PLAYERPOS = 0x23
    GOTBLOCKS = 0x24
    CHAT_MESSAGE = 0x32
    INTERACT = 0x39
    INVENTORY_FIELDS = 0x3C
    HAVE_MEDIA = 0x41
    CLIENT_READY = 0x43
    FIRST_SRP = 0x50
    SRP_BYTES_A = 0x51
    SRP_BYTES_M = 0x52


CHANNEL = {
    ToServer.INIT: 1,
    ToServer.INIT2: 1,
    ToServer.GOTBLOCKS: 2,
    ToServer.HAVE_MEDIA: 2,
    ToServer.CLIENT_READY: 1,
    ToServer.FIRST_SRP: 1,
    ToServer.SRP_BYTES_A: 1,
    ToServer.SRP_BYTES_M: 1,
}
"""Channels other than 0; order is kept only within a channel."""

UNRELIABLE = {ToServer.INIT, ToServer.PLAYERPOS}


class Interaction(IntEnum):
    START_DIGGING = 0
    """Also the punch of a node or an object."""
    STOP_DIGGING = 1
    DIGGING_COMPLETED = 2
    PLACE = 3
    """Also the right click on an object."""
    USE = 4


DENIED = {
    0: "wrong password",
    1: "unexpected data",
    2: "the server runs in singleplayer mode",
    3: "the server does not speak this protocol version",
    4: "the name has characters that are not allowed",
    5: "the name is not allowed",
    6: "too many players",
    7: "empty passwords are not allowed",
    8: "a player with this name is already connected",
    9: "an error on the server",
    10: "denied",
    11: "the server is shutting down",
    12: "the server crashed",
}


class PacketError(DemoError):
    """A packet is shorter than its fields, or has a field that cannot be read."""


class Vector(NamedTuple):
    """A point or direction, in nodes."""

    x: float
    y: float
    z: float

    def distance(self, other: Vector) -> float:
        return math.dist(self, other)

    def towards(self, other: Vector, step: float) -> Vector:
        """The point `step` nodes from here on the straight line to `other`, or `other` when nearer."""
        apart = self.distance(other)
        if apart <= step:
            return other
        share = step / apart
        return Vector(*(a + (b - a) * share for a, b in zip(self, other, strict=True)))


class Writer:
    """Builds one packet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def pack(self, layout: str, *values: float) -> Writer:
        self._parts.append(struct.pack(layout, *values))
        return self

    def raw(self, data: bytes) -> Writer:
        self._parts.append(data)
        return self

    def string(self, data: bytes | str) -> Writer:
        """A string with a 16-bit length."""
        data = data.encode() if isinstance(data, str) else data
        return self.pack(">H", len(data)).raw(data)

    def long_string(self, data: bytes | str) -> Writer:
        """A string with a 32-bit length."""
        data = data.encode() if isinstance(data, str) else data
        return self.pack(">I", len(data)).raw(data)

    def wide_string(self, text: str) -> Writer:
        """A string of UTF-16 units with a 16-bit length."""
        data = text.encode("utf-16-be")
        return self.pack(">H", len(data) // 2).raw(data)

    def take(self) -> bytes:
        return b"".join(self._parts)


class Reader:
    """Reads the fields of one packet in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def raw(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise PacketError(f"packet of {len(self._data)} bytes ends before byte {end}")
        part = self._data[self._at : end]
        self._at = end
        return part

    def _one(self, layout: str) -> float:
        value: float
        (value,) = struct.unpack(layout, self.raw(struct.calcsize(layout)))
        return value

    def u8(self) -> int:
        return self.raw(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.raw(2))

    def u32(self) -> int:
        return int.from_bytes(self.raw(4))

    def f32(self) -> float:
        return self._one(">f")

    def position(self) -> Vector:
        """Three floats in tenths of a node, as nodes."""
        return Vector(self.f32() / TENTHS, self.f32() / TENTHS, self.f32() / TENTHS)

    def string(self) -> bytes:
        return self.raw(self.u16())

    def long_string(self) -> bytes:
        return self.raw(self.u32())

    def wide_string(self) -> str:
        return self.raw(2 * self.u16()).decode("utf-16-be", "replace")

    def rest(self) -> bytes:
        return self.raw(len(self._data) - self._at)
