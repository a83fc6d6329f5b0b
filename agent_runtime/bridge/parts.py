"""What messages of the wire are made of: names, places, items and records. Nothing here does any I/O.

`docs/protocol.md` documents each type and field, and a test fails when the two disagree.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

MAX_LINE = 500  # characters of a chat line, as in the game

Ulid: TypeAlias = Annotated[str, Meta(pattern=r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
PlayerName: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,20}$")]
NpcName: TypeAlias = Annotated[str, Meta(min_length=1, max_length=40)]
PERSONA_ID = r"^[a-z0-9_-]{1,40}$"
PersonaId: TypeAlias = Annotated[str, Meta(pattern=PERSONA_ID)]
Short: TypeAlias = Annotated[str, Meta(max_length=100)]
ItemName: TypeAlias = Annotated[str, Meta(max_length=100)]
Coordinate: TypeAlias = Annotated[float, Meta(ge=-40000, le=40000)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
CatalogueHash: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}$")]
Compass = Literal["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"]
Direction: TypeAlias = Compass | Literal["here", "above", "below"]
ReplySource = Literal["model", "late", "busy", "slow_down"]
"""What made a reply: the model, or why it is a canned line of the persona."""


class Position(Struct, frozen=True):
    """A point in the world, in nodes."""

    x: Coordinate
    y: Coordinate
    z: Coordinate


class Near(Struct, frozen=True):
    """Somebody or something near; `vertical` when the height differs by over a third of the distance."""

    kind: Literal["player", "mob", "npc", "place"]
    name: Short
    distance: Annotated[float, Meta(ge=0, le=100000)]
    direction: Direction
    vertical: Literal["", "above", "below"] = ""


class ItemCount(Struct, frozen=True):
    """An itemstring's name and how many of it."""

    item: ItemName
    count: Annotated[int, Meta(ge=0, le=100000)]


class Snapshot(Struct, frozen=True):
    """What is true around an NPC at one moment. `taken` is the mod's monotonic clock, which comes back
    with every action; `time_of_day` runs from 0 (midnight) to 1; `doing` is like `following alice`."""

    taken: Seconds
    time_of_day: Annotated[float, Meta(ge=0, le=1)]
    npc_pos: Position
    player_pos: Position
    biome: Short = ""
    surface: ItemName = ""
    held: ItemName = ""
    doing: Short = ""
    weather: Short = ""
    near: Annotated[tuple[Near, ...], Meta(max_length=32)] = ()
    inventory: Annotated[tuple[ItemCount, ...], Meta(max_length=64)] = ()


class NpcRecord(Struct, frozen=True):
    """One NPC of a game server."""

    npc: Ulid
    name: NpcName
    persona: PersonaId
    pos: Position


class Item(Struct, frozen=True):
    """A registered item: its name, the description that players read, and its groups."""

    name: ItemName
    description: Annotated[str, Meta(max_length=200)]
    groups: dict[str, int] = {}


class Recipe(Struct, frozen=True):
    """One way to make an item. `inputs` may hold `group:NAME`; empty slots are left out."""

    output: ItemName
    count: Annotated[int, Meta(ge=1, le=65535)]
    method: Literal["normal", "cooking", "fuel", "shapeless"]
    inputs: Annotated[tuple[ItemName, ...], Meta(max_length=81)] = ()


class GameEvent(Struct, frozen=True):
    """Something that happened in the world. `what` is an itemstring or a name."""

    kind: Literal["join", "leave", "dig", "place", "craft", "punch", "death"]
    player: PlayerName
    at: Seconds
    what: ItemName = ""
    pos: Position | None = None


class PersonaCard(Struct, frozen=True):
    """What the mod keeps of a persona: to spawn it, and to speak for it while the link is down."""

    persona: PersonaId
    name: NpcName
    role: str
    inventory: tuple[ItemCount, ...]
    greeting: tuple[str, ...]
    offline: tuple[str, ...]
    late: tuple[str, ...]
    busy: tuple[str, ...]
    slow_down: tuple[str, ...]
    idle: tuple[str, ...]
