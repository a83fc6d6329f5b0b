"""The active objects around a player, as the server tells them: players and entities, where they are, and
the text over their heads. Bodies of packets come in; a table of entities by id is kept up to date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from demo.player.packets import PacketError, Reader, Vector
from demo.player.text import plain


class _Command(IntEnum):
    SET_PROPERTIES = 0
    UPDATE_POSITION = 1
    ATTACH_TO = 8


STILL = Vector(0, 0, 0)


class Tag(NamedTuple):
    """The text over an object's head from the moment `at` on, without colours."""

    at: float
    text: str


@dataclass
class Entity:
    """A player or an entity. `yaw` in degrees, counter-clockwise from north (+z); `name` is the player's
    name, or the entity's registered name where the engine tells it (5.10 and later). `tags` holds each
    text that was over its head, the present one last."""

    id: int
    name: str
    is_player: bool
    pos: Vector
    yaw: float
    velocity: Vector = STILL
    tags: list[Tag] = field(default_factory=list)
    infotext: str = ""
    visual: str = ""
    mesh: str = ""
    textures: tuple[str, ...] = ()
    attached_to: int = 0

    @property
    def nametag(self) -> str:
        """The text over its head, without colours."""
        return self.tags[-1].text if self.tags else ""

    def apply(self, message: bytes, at: float) -> None:
        """Takes in one message of the server to this object; kinds that tell nothing we keep are skipped."""
        reader = Reader(message)
        command = reader.u8()
        if command == _Command.SET_PROPERTIES:
            self._properties(reader, at)
        elif command == _Command.UPDATE_POSITION:
            self.pos = reader.position()
            self.velocity = reader.position()
            reader.position()  # acceleration
            reader.f32()
            self.yaw = reader.f32()
        elif command == _Command.ATTACH_TO:
            self.attached_to = reader.u16()

    def _properties(self, reader: Reader, at: float) -> None:
        if reader.u8() != 4:
            raise PacketError("object properties of an unknown version")
        reader.raw(2 + 1 + 4)  # hp, physical, weight
        reader.raw(4 * 12)  # collision and selection boxes
        reader.u8()  # pointable
        self.visual = reader.string().decode("utf-8", "replace")
        reader.raw(12)  # visual size
        self.textures = tuple(reader.string().decode("utf-8", "replace") for _ in range(reader.u16()))
        reader.raw(4 + 4 + 1 + 1 + 4)  # sprite division and base, visible, footsteps, automatic rotation
        self.mesh = reader.string().decode("utf-8", "replace")
        reader.raw(4 * reader.u16())  # colours
        reader.raw(1 + 4 + 1 + 4 + 1)  # collides, step height, faces movement and offset, backface culling
        tag = plain(reader.string().decode("utf-8", "replace"))
        if tag != self.nametag:
            self.tags.append(Tag(at, tag))
        reader.raw(4 + 4)  # nametag colour, rotation per second
        self.infotext = plain(reader.string().decode("utf-8", "replace"))


class Entities:
    """All objects that the server has told this player of and not taken back."""

    def __init__(self) -> None:
        self._by_id: dict[int, Entity] = {}

    def __iter__(self) -> Iterator[Entity]:
        return iter(tuple(self._by_id.values()))

    def __getitem__(self, number: int) -> Entity:
        return self._by_id[number]

    def __contains__(self, number: int) -> bool:
        return number in self._by_id

    def get(self, number: int) -> Entity | None:
        return self._by_id.get(number)

    def player(self, name: str) -> Entity | None:
        """The player of that name, when in sight."""
        return next((e for e in self if e.is_player and e.name == name), None)

    def remove_and_add(self, reader: Reader, at: float) -> None:
        """The body of ACTIVE_OBJECT_REMOVE_ADD."""
        for _ in range(reader.u16()):
            self._by_id.pop(reader.u16(), None)
        for _ in range(reader.u16()):
            number, _kind = reader.u16(), reader.u8()
            self._by_id[number] = _created(Reader(reader.long_string()), at)

    def messages(self, reader: Reader, at: float) -> None:
        """The body of ACTIVE_OBJECT_MESSAGES."""
        while reader:
            number, message = reader.u16(), reader.string()
            if number in self._by_id:
                self._by_id[number].apply(message, at)


def _created(reader: Reader, at: float) -> Entity:
    if reader.u8() != 1:
        raise PacketError("an object's first data is of an unknown version")
    name = reader.string().decode("utf-8", "replace")
    is_player, number = bool(reader.u8()), reader.u16()
    pos = reader.position()
    reader.f32()
    yaw = reader.f32()
    reader.raw(4 + 2)  # roll, hp
    entity = Entity(number, name, is_player, pos, yaw)
    for _ in range(reader.u8()):
        entity.apply(reader.long_string(), at)
    return entity
