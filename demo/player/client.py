"""One headless player: joins a server, does what a person at a keyboard does, and keeps what the server tells.

Times are of `time.perf_counter`, taken when the datagram came in, before anything is decoded."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from demo.errors import AccessDenied, ConnectionLost, NotSeen
from demo.player import inventory, packets
from demo.player.auth import Login, register
from demo.player.link import Link
from demo.player.objects import Entities, Entity
from demo.player.packets import DENIED, TENTHS, Interaction, Reader, ToClient, ToServer, Vector, Writer
from demo.player.text import plain

T = TypeVar("T")

WALK = 3.9
"""Nodes per second: just under the engine's walking speed of 4, beyond which its anticheat steps in."""
EYES = 1.625
"""Height of a player's eyes over the feet, in nodes."""
SIGHT = 4
"""Map blocks of 16 nodes within which we want to be told of blocks and objects."""

_FIRST_SRP = 4
_SRP = 2
_FORWARD_KEY = 1
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


class Player:
    """A player in the game; made by `join`. All that the server told is in the attributes:

    `chat` every line so far, `forms` every form shown, `entities` the objects in sight, `inventory` stacks by
    list name, `privileges`, `pos` (feet, in nodes), `yaw` and `pitch` in degrees (pitch positive downwards)."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        self.protocol = 0
        self.chat: list[Chat] = []
        self.forms: list[Formspec] = []
        self.entities = Entities()
        self.inventory: dict[str, list[inventory.Stack]] = {}
        self.privileges: frozenset[str] = frozenset()
        self.hp = 0
        self.pos = Vector(0, 0, 0)
        self.yaw = 0.0
        self.pitch = 0.0
        self.wielded = 0
        self._password = password
        self._login: Login | None = None
        self._link: Link | None = None
        self._denied: AccessDenied | None = None
        self._placed = False
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

    # Coming and going

    @classmethod
    async def join(
        cls, host: str, port: int, name: str, password: str = "", *, within: float = 30.0
    ) -> Player:
        """Joins, and registers the name if it is new. Returns when the player stands in the world.

        Raises AccessDenied, ConnectionLost, or NotSeen after `within` seconds."""
        player = cls(name, password)
        player._link = await Link.open(host, port, player._packet)
        try:
            await player.until(lambda: player._link_numbered(), within=within, what="a peer number")
            init = Writer().pack(
                ">BHHH", packets.SERIALIZATION, 0, packets.PROTOCOL_MIN, packets.PROTOCOL_MAX
            )
            hello = init.string(name).take()
            for _ in range(math.ceil(within)):  # INIT is not sent reliably
                player._send(ToServer.INIT, Writer().raw(hello))
                if await player._happens(lambda: player.protocol != 0, within=1.0):
                    break
            await player.until(lambda: player._ready and player._placed, within=within, what="the world")
        except BaseException:
            player._link.close()
            raise
        player._send_position()
        return player

    async def leave(self) -> None:
        """Leaves the server, as a client that is closed."""
        if self._link:
            self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    # What a person does

    async def say(self, text: str) -> float:
        """Says a line, or gives a command; returns the moment it was sent."""
        at = time.perf_counter()
        self._send(ToServer.CHAT_MESSAGE, Writer().wide_string(text))
        return at

    async def move_to(self, x: float, y: float, z: float, *, speed: float = WALK) -> None:
        """Walks there in a straight line, facing where it goes. The server has the last word on where we
        are: raises NotSeen when it keeps putting us back."""
        goal = Vector(x, y, z)
        self._face(goal, level=True)
        last = time.perf_counter()
        deadline = last + 5 + 2 * self.pos.distance(goal) / speed
        while self.pos.distance(goal) > 0.01:
            await asyncio.sleep(0.1)
            now = time.perf_counter()
            if now > deadline:
                raise NotSeen(f"{self.name} could not get to {goal}: still at {self.pos}")
            before = self.pos
            self.pos = before.towards(goal, speed * (now - last))
            self._send_position(tuple((b - a) / (now - last) for a, b in zip(before, self.pos, strict=True)))
            last = now
        self._send_position()

    def look_at(self, x: float, y: float, z: float) -> None:
        """Turns the eyes to a point."""
        self._face(Vector(x, y, z))
        self._send_position()

    def wield(self, slot: int) -> None:
        """Takes the hotbar's slot (from 0) in hand."""
        self.wielded = slot
        self._send(ToServer.PLAYERITEM, Writer().pack(">H", slot))

    def right_click(self, entity: Entity | int) -> None:
        """Right-clicks an object in reach."""
        self._interact(Interaction.PLACE, _object(entity))

    def punch(self, target: Entity | int | tuple[int, int, int]) -> None:
        """Punches an object, or the node at a position."""
        pointed = _node(target) if isinstance(target, tuple) else _object(target)
        self._interact(Interaction.START_DIGGING, pointed)

    async def dig(self, node: tuple[int, int, int], *, seconds: float) -> None:
        """Digs the node at a position, taking as long as it takes: the server checks the time."""
        self._interact(Interaction.START_DIGGING, _node(node))
        await asyncio.sleep(seconds)
        self._interact(Interaction.DIGGING_COMPLETED, _node(node))

    def place(self, on: tuple[int, int, int], at: tuple[int, int, int]) -> None:
        """Places the wielded item at the position `at`, pointing at the node `on`."""
        self._interact(Interaction.PLACE, _node(on, at))

    def fields(self, form: str, values: dict[str, str]) -> None:
        """Submits the fields of a form."""
        body = Writer().string(form).pack(">H", len(values))
        for key, value in values.items():
            body.string(key).long_string(value)
        self._send(ToServer.INVENTORY_FIELDS, body)

    # What a person waits for

    async def until(self, test: Callable[[], T], *, within: float, what: str) -> T:
        """Waits for `test` to return something true and returns it; it is asked after each packet.

        Raises NotSeen after `within` seconds, AccessDenied or ConnectionLost when the connection ends."""
        try:
            async with asyncio.timeout(within):
                while not (result := test()):
                    self._check()
                    assert self._link
                    await self._link.changed()
                return result
        except TimeoutError:
            raise NotSeen(f"{self.name} waited {within:g} s in vain for {what}") from None

    async def hear(
        self, match: str | Callable[[Chat], object], *, within: float = 10.0, since: int | None = None
    ) -> Chat:
        """The first line of the chat that contains the text, or for which the function is true.

        Looks from line number `since` on (`len(player.chat)` at some moment); by default only at lines
        that come from now on."""
        start = len(self.chat) if since is None else since
        test = match if callable(match) else lambda line: match in line.text

        def found() -> Chat | None:
            return next((line for line in self.chat[start:] if test(line)), None)

        what = "a line in the chat" if callable(match) else f"{match!r} in the chat"
        line = await self.until(found, within=within, what=what)
        assert line is not None
        return line

    async def lines(self) -> AsyncIterator[Chat]:
        """The lines of the chat from now on, as they come, until the connection ends."""
        seen = len(self.chat)
        while self._link and not self._link.lost:
            while seen < len(self.chat):
                yield self.chat[seen]
                seen += 1
            await self._link.changed()

    # Sending

    def _send(self, command: ToServer, body: Writer) -> None:
        self._check()
        assert self._link
        self._link.send(command, body)

    def _check(self) -> None:
        if self._denied:
            raise self._denied
        if self._link is None or self._link.lost:
            reason = self._link.lost if self._link else "not joined"
            raise ConnectionLost(f"{self.name} has no connection to the server: {reason}")

    def _link_numbered(self) -> bool:
        return self._link is not None and self._link.numbered

    async def _happens(self, test: Callable[[], bool], *, within: float) -> bool:
        try:
            return await self.until(test, within=within, what="an answer")
        except NotSeen:
            return False

    def _face(self, target: Vector, *, level: bool = False) -> None:
        dx, dy, dz = (b - a for a, b in zip(self.pos, target, strict=True))
        if dx or dz:
            self.yaw = math.degrees(math.atan2(-dx, dz)) % 360
        self.pitch = 0.0 if level else -math.degrees(math.atan2(dy - EYES, math.hypot(dx, dz)))

    def _where(self, speed: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Writer:
        walking = any(speed)
        body = Writer().pack(">3i", *(round(v * TENTHS * 100) for v in self.pos))
        body.pack(">3i", *(round(v * TENTHS * 100) for v in speed))
        body.pack(">ii", round(self.pitch * 100), round(self.yaw * 100))
        body.pack(">IBB", _FORWARD_KEY if walking else 0, round(1.25 * 80), SIGHT)
        return body.pack(">Bff", 0, 1.0 if walking else 0.0, 0.0)  # read by 5.10 and later

    def _send_position(self, speed: tuple[float, ...] = (0.0, 0.0, 0.0)) -> None:
        self._send(ToServer.PLAYERPOS, self._where(speed))

    def _interact(self, action: Interaction, pointed: bytes) -> None:
        body = Writer().pack(">BH", action, self.wielded).long_string(pointed)
        self._send(ToServer.INTERACT, body.raw(self._where().take()))

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
            self._send(ToServer.FIRST_SRP, body)
        elif ways & _SRP:
            self._login = Login(self.name, self._password)
            self._send(ToServer.SRP_BYTES_A, Writer().string(self._login.public).pack(">B", 1))
        else:
            self._denied = AccessDenied(self.name, 1, f"no login of ours is offered (ways {ways:#x})")

    def _challenge(self, reader: Reader, _at: float) -> None:
        if self._login:
            self._send(
                ToServer.SRP_BYTES_M, Writer().string(self._login.proof(reader.string(), reader.string()))
            )

    def _accepted(self, _reader: Reader, _at: float) -> None:
        self._send(ToServer.INIT2, Writer().string(""))

    def _refused(self, reader: Reader, _at: float) -> None:
        code = reader.u8()
        custom = plain(reader.string().decode("utf-8", "replace")) if reader else ""
        self._denied = AccessDenied(self.name, code, custom or DENIED.get(code, f"code {code}"))

    def _definitions_sent(self, _reader: Reader, _at: float) -> None:
        body = Writer().pack(">BBBB", *_VERSION, 0).string("headless player")
        self._send(ToServer.CLIENT_READY, body.pack(">H", packets.FORMSPEC_API))

    def _media_pushed(self, reader: Reader, _at: float) -> None:
        if self.protocol >= 40:  # older ones have no token to answer with
            reader.string()
            reader.string()
            self._send(ToServer.HAVE_MEDIA, Writer().pack(">BI", 1, reader.u32()))

    def _listed(self, _reader: Reader, _at: float) -> None:
        self._ready = True

    def _block(self, reader: Reader, _at: float) -> None:
        self._send(ToServer.GOTBLOCKS, Writer().pack(">B", 1).raw(reader.raw(6)))

    def _chat_line(self, reader: Reader, at: float) -> None:
        reader.raw(2)
        sender, raw = reader.wide_string(), reader.wide_string()
        self.chat.append(Chat(at, sender, plain(raw), raw))

    def _moved(self, reader: Reader, _at: float) -> None:
        self.pos = reader.position()
        self.pitch, self.yaw = reader.f32(), reader.f32()
        self._placed = True
        if self._ready:
            self._send_position()

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


def _object(entity: Entity | int) -> bytes:
    number = entity.id if isinstance(entity, Entity) else entity
    return Writer().pack(">BBH", 0, 2, number).take()


def _node(under: tuple[int, int, int], above: tuple[int, int, int] | None = None) -> bytes:
    return Writer().pack(">BB3h3h", 0, 1, *under, *(above or under)).take()
