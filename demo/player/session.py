"""One connection of a player from the first packet to the last: the login, and what the server tells.

Packets come in; the state of the world as this player knows it is kept. Times are of `time.perf_counter`,
taken when the datagram came in, before anything is decoded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from demo.errors import AccessDenied, ConnectionLost, NotSeen
from demo.player import inventory, packets
from demo.player.auth import Login, register
from demo.player.link import Link
from demo.player.objects import Entities
from demo.player.packets import DENIED, TENTHS, Reader, ToClient, ToServer, Vector, Writer
from demo.player.text import plain

T = TypeVar("T")

SIGHT = 4
"""Map blocks of 16 nodes within which we want to be told of blocks and objects."""

_FIRST_SRP = 4
_SRP = 2
_FORWARD_KEY = 1
_INIT_EVERY = 0.1
_VERSION = (5, 15, 2)


@dataclass(frozen=True)
class Chat:
    """A line in the player's chat. `text` has no colours; `raw` is as sent."""

    at: float
    sender: str
    text: str
    raw: str


@dataclass(frozen=True)
class Formspec:
    """A form that the server showed; an empty `source` means that it closed the one of that name."""

    at: float
    name: str
    source: str


class Session:
    """What a player knows, as the server tells it:

    `chat` every line so far, `forms` every form shown, `entities` the objects in sight, `inventory` the
    stacks by list name, `privileges`, `hp`, `pos` (feet, in nodes), `yaw` and `pitch` in degrees (yaw
    counter-clockwise from north, pitch positive downwards), and `placements`: how often the server has put
    the player somewhere (once at the start)."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.protocol = 0
        self.chat: list[Chat] = []
        self.forms: list[Formspec] = []
        self.entities = Entities()
        self.inventory: dict[str, list[inventory.Stack]] = {}
        self.privileges: frozenset[str] = frozenset()
        self.hp = 0
        self._blocks: set[bytes] = set()
        self.pos = Vector(0, 0, 0)
        self.yaw = 0.0
        self.pitch = 0.0
        self._password = password
        self._login: Login | None = None
        self._link: Link | None = None
        self._denied: AccessDenied | None = None
        self.placements = 0
        self._ready = False
        self._handlers: dict[int, Callable[[Reader, float], None]] = {
            ToClient.HELLO: self._hello,
            ToClient.SRP_BYTES_S_B: self._challenge,
            ToClient.AUTH_ACCEPT: self._accepted,
            ToClient.ACCESS_DENIED: self._refused,
            ToClient.ANNOUNCE_MEDIA: self._definitions_sent,
            ToClient.MEDIA_PUSH: self._media_pushed,
            ToClient.UPDATE_PLAYER_LIST: self._listed,
            ToClient.BLOCKDATA: self._block,
            ToClient.CHAT_MESSAGE: self._chat_line,
            ToClient.MOVE_PLAYER: self._moved,
            ToClient.MOVE_PLAYER_REL: self._pushed,
            ToClient.ACTIVE_OBJECT_REMOVE_ADD: self.entities.remove_and_add,
            ToClient.ACTIVE_OBJECT_MESSAGES: self.entities.messages,
            ToClient.INVENTORY: self._inventory,
            ToClient.PRIVILEGES: self._privileges,
            ToClient.HP: self._health,
            ToClient.SHOW_FORMSPEC: self._form,
        }

    async def until(self, test: Callable[[], T], *, within: float, what: str) -> T:
        """Waits for `test` to return something true and returns it; it is asked after each packet.

        Raises NotSeen after `within` seconds, AccessDenied or ConnectionLost when the connection ends."""
        try:
            async with asyncio.timeout(within):
                while not (result := test()):
                    self.check()
                    assert self._link
                    await self._link.changed()
                return result
        except TimeoutError:
            raise NotSeen(f"{self.name} waited {within:g} s in vain for {what}") from None

    def send(self, command: ToServer, body: Writer) -> None:
        """Sends a packet; raises AccessDenied or ConnectionLost when the connection is over."""
        self.check()
        assert self._link
        self._link.send(command, body)

    def check(self) -> None:
        """Raises AccessDenied or ConnectionLost when the connection is over."""
        if self._denied:
            raise self._denied
        if self._link is None or self._link.lost:
            reason = self._link.lost if self._link else "not joined"
            raise ConnectionLost(f"{self.name} has no connection to the server: {reason}")

    def has_block(self, node: tuple[int, int, int]) -> bool:
        """Whether the server has sent the map block with that node, so the world is there."""
        return Writer().pack(">3h", *(v // 16 for v in node)).take() in self._blocks

    async def leave(self) -> None:
        """Leaves the server, as a client that is closed."""
        if self._link:
            self._link.close()

    async def open(self, host: str, port: int, within: float) -> None:
        """Connects, logs in or registers, and returns when the player stands in the world."""
        self._link = link = await Link.open(host, port, self._packet)
        await self.until(lambda: link.numbered, within=within, what="a peer number")
        init = Writer().pack(">BHHH", packets.SERIALIZATION, 0, packets.PROTOCOL_MIN, packets.PROTOCOL_MAX)
        hello = init.string(self.name).take()
        for _ in range(math.ceil(within / _INIT_EVERY)):
            # Not sent reliably, and the server drops it until it has made room for the new peer.
            self.send(ToServer.INIT, Writer().raw(hello))
            if await self._greeted():
                break
        # The server tells us of ourselves in the step after all join callbacks have run.
        await self.until(
            lambda: self._ready and self.placements and self.entities.player(self.name),
            within=within,
            what="the world",
        )
        self.send_position()

    async def _greeted(self) -> bool:
        try:
            return await self.until(lambda: self.protocol != 0, within=_INIT_EVERY, what="an answer")
        except NotSeen:
            return False

    def where(self, speed: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Writer:
        """The body of PLAYERPOS, which ends every INTERACT too."""
        walking = any(speed)
        body = Writer().pack(">3i", *(round(v * TENTHS * 100) for v in self.pos))
        body.pack(">3i", *(round(v * TENTHS * 100) for v in speed))
        body.pack(">ii", round(self.pitch * 100), round(self.yaw * 100))
        body.pack(">IBB", _FORWARD_KEY if walking else 0, round(1.25 * 80), SIGHT)
        return body.pack(">Bff", 0, 1.0 if walking else 0.0, 0.0)  # read by 5.10 and later

    def send_position(self, speed: tuple[float, ...] = (0.0, 0.0, 0.0)) -> None:
        """Tells the server where we are and how fast we go, in nodes per second."""
        self.send(ToServer.PLAYERPOS, self.where(speed))

    # What the server tells

    def _packet(self, packet: bytes, at: float) -> None:
        reader = Reader(packet)
        handler = self._handlers.get(reader.u16())
        if handler:
            handler(reader, at)

    def _hello(self, reader: Reader, _at: float) -> None:
        if self.protocol:
            return  # the answer to an INIT that was sent again
        reader.raw(3)
        self.protocol = reader.u16()
        ways = reader.u32()
        if ways & _FIRST_SRP:
            salt, verifier = register(self.name, self._password)
            body = Writer().string(salt).string(verifier).pack(">B", not self._password)
            self.send(ToServer.FIRST_SRP, body)
        elif ways & _SRP:
            self._login = Login(self.name, self._password)
            self.send(ToServer.SRP_BYTES_A, Writer().string(self._login.public).pack(">B", 1))
        else:
            self._denied = AccessDenied(self.name, 1, f"no login of ours is offered (ways {ways:#x})")

    def _challenge(self, reader: Reader, _at: float) -> None:
        if self._login:
            self.send(
                ToServer.SRP_BYTES_M, Writer().string(self._login.proof(reader.string(), reader.string()))
            )

    def _accepted(self, _reader: Reader, _at: float) -> None:
        self.send(ToServer.INIT2, Writer().string(""))

    def _refused(self, reader: Reader, _at: float) -> None:
        code = reader.u8()
        custom = plain(reader.string().decode("utf-8", "replace")) if reader else ""
        self._denied = AccessDenied(self.name, code, custom or DENIED.get(code, f"code {code}"))

    def _definitions_sent(self, _reader: Reader, _at: float) -> None:
        body = Writer().pack(">BBBB", *_VERSION, 0).string("headless player")
        self.send(ToServer.CLIENT_READY, body.pack(">H", packets.FORMSPEC_API))

    def _media_pushed(self, reader: Reader, _at: float) -> None:
        if self.protocol >= 40:  # older ones have no token to answer with
            reader.string()
            reader.string()
            self.send(ToServer.HAVE_MEDIA, Writer().pack(">BI", 1, reader.u32()))

    def _listed(self, _reader: Reader, _at: float) -> None:
        self._ready = True

    def _block(self, reader: Reader, _at: float) -> None:
        position = reader.raw(6)
        self._blocks.add(position)
        self.send(ToServer.GOTBLOCKS, Writer().pack(">B", 1).raw(position))

    def _chat_line(self, reader: Reader, at: float) -> None:
        reader.raw(2)
        sender, raw = reader.wide_string(), reader.wide_string()
        self.chat.append(Chat(at, sender, plain(raw), raw))

    def _moved(self, reader: Reader, _at: float) -> None:
        self.pos = reader.position()
        self.pitch, self.yaw = reader.f32(), reader.f32()
        self.placements += 1
        if self._ready:
            self.send_position()

    def _pushed(self, reader: Reader, _at: float) -> None:
        added = reader.position()
        self.pos = Vector(*(a + b for a, b in zip(self.pos, added, strict=True)))

    def _inventory(self, reader: Reader, _at: float) -> None:
        text = reader.long_string() if self.protocol >= packets.INVENTORY_HAS_LENGTH else reader.rest()
        self.inventory = inventory.read(text.decode("utf-8", "replace"), self.inventory)

    def _privileges(self, reader: Reader, _at: float) -> None:
        self.privileges = frozenset(reader.string().decode() for _ in range(reader.u16()))

    def _health(self, reader: Reader, _at: float) -> None:
        self.hp = reader.u16()

    def _form(self, reader: Reader, at: float) -> None:
        source, name = reader.long_string(), reader.string()
        self.forms.append(Formspec(at, name.decode(), source.decode("utf-8", "replace")))
