"""Every message of the wire protocol, as a type. Nothing here does any I/O.

One map per message with a `type` field; ids are ULIDs made by the sender; unknown fields are ignored.
`docs/protocol.md` documents each type and field, and a test fails when the two disagree.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent_runtime.bridge.parts import (
    MAX_LINE,
    CatalogueHash,
    GameEvent,
    Item,
    NpcRecord,
    PersonaCard,
    PlayerName,
    Recipe,
    ReplySource,
    Short,
    Snapshot,
    Ulid,
)

PROTOCOL = 1
SUBPROTOCOL_MSGPACK = "townsfolk.v1+msgpack"
SUBPROTOCOL_JSON = "townsfolk.v1+json"

# From the mod to the runtime


class Hello(Struct, frozen=True, tag="hello"):
    """First message of a connection. `server` stays the same for a world, over restarts."""

    protocol: int
    server: Ulid
    server_name: Short
    engine: Short
    game: Short
    mod: Short
    catalogue: CatalogueHash
    npcs: Annotated[tuple[NpcRecord, ...], Meta(max_length=1000)] = ()
    players: Annotated[tuple[PlayerName, ...], Meta(max_length=1000)] = ()


class Knowledge(Struct, frozen=True, tag="knowledge"):
    """One part of the catalogue with that hash; parts are numbered from 1 and may come in any order."""

    catalogue: CatalogueHash
    part: Annotated[int, Meta(ge=1, le=1000)]
    parts: Annotated[int, Meta(ge=1, le=1000)]
    items: Annotated[tuple[Item, ...], Meta(max_length=2000)] = ()
    recipes: Annotated[tuple[Recipe, ...], Meta(max_length=2000)] = ()


class PlayerJoined(Struct, frozen=True, tag="player_joined"):
    """A player came in."""

    player: PlayerName


class PlayerLeft(Struct, frozen=True, tag="player_left"):
    """A player left: what is being said to them ends."""

    player: PlayerName


class Chat(Struct, frozen=True, tag="chat"):
    """A player's line to one NPC, with the world around it. `how` says why this NPC was meant."""

    id: Ulid
    npc: Ulid
    player: PlayerName
    text: Annotated[str, Meta(max_length=MAX_LINE)]
    how: Literal["named", "near", "form", "command"]
    snapshot: Snapshot


class Event(Struct, frozen=True, tag="event"):
    """A batch of world events. `dropped` counts those the mod had to leave out since the last batch."""

    events: Annotated[tuple[GameEvent, ...], Meta(max_length=500)] = ()
    dropped: Annotated[int, Meta(ge=0)] = 0


class NpcState(Struct, frozen=True, tag="npc_state"):
    """An NPC was spawned, changed or removed."""

    npc: NpcRecord
    state: Literal["spawned", "moved", "removed"]


class ActionResult(Struct, frozen=True, tag="action_result"):
    """What became of an action. `reason` is empty when it was done."""

    action: Ulid
    result: Literal["done", "refused", "failed", "stale"]
    reason: Annotated[str, Meta(max_length=200)] = ""


class Rating(Struct, frozen=True, tag="rating"):
    """A player's judgement of a reply, kept by the mod until acked. `good`/`bad` count as 5 and 1."""

    id: Ulid
    reply: Ulid
    player: PlayerName
    value: Annotated[int, Meta(ge=1, le=5)]
    scale: Literal["stars", "thumb"]


class Demonstration(Struct, frozen=True, tag="demonstration"):
    """How a player would have had a reply, kept by the mod until acked."""

    id: Ulid
    reply: Ulid
    player: PlayerName
    text: Annotated[str, Meta(min_length=1, max_length=MAX_LINE)]


class Consent(Struct, frozen=True, tag="consent"):
    """What a player decided about training with their talk, kept by the mod until acked; the last counts.
    `erase` also removes what they said before."""

    id: Ulid
    player: PlayerName
    choice: Literal["allow", "withdraw", "erase"]


class Ping(Struct, frozen=True, tag="ping"):
    """Heartbeat; answered with a pong of the same `n`."""

    n: Annotated[int, Meta(ge=0)]


# From the runtime to the mod


class Welcome(Struct, frozen=True, tag="welcome"):
    """The answer to hello. `send_catalogue` asks for knowledge; a ping is due every `heartbeat` seconds;
    `consent` says what holds for players who have not decided."""

    protocol: int
    runtime: str
    session: Ulid
    send_catalogue: bool
    heartbeat: float
    personas: tuple[PersonaCard, ...]
    consent: Literal["ask", "opt-out"] = "ask"


class ReplyDelta(Struct, frozen=True, tag="reply_delta"):
    """More of a reply, to be appended; `n` counts from 0; `sentence`: a sentence ends with it."""

    reply: Ulid
    chat: Ulid
    npc: Ulid
    player: str
    n: int
    text: str
    sentence: bool


class ReplyDone(Struct, frozen=True, tag="reply_done"):
    """A reply is complete; `text` is all of it. `source` is `model`, or the reason for a canned line."""

    reply: Ulid
    chat: Ulid
    npc: Ulid
    player: str
    text: str
    source: ReplySource


class ActionRequest(Struct, frozen=True, tag="action"):
    """An action that policy allowed; the mod checks again. `player` asked; `taken` is the snapshot's."""

    action: Ulid
    reply: Ulid
    npc: Ulid
    player: str
    name: str
    arguments: dict[str, str | int]
    taken: float


class Freeze(Struct, frozen=True, tag="freeze"):
    """Policy found a violation: the NPC does nothing for `seconds`."""

    npc: Ulid
    seconds: float
    reason: str


class Ack(Struct, frozen=True, tag="ack"):
    """These messages are on disk; the mod may forget them."""

    ids: tuple[str, ...]


class Notice(Struct, frozen=True, tag="notice"):
    """A word to the server's log."""

    level: Literal["info", "warning"]
    text: str


class ErrorReply(Struct, frozen=True, tag="error"):
    """A message was not accepted. `of` is its id, when it had one."""

    code: str
    message: str
    of: str = ""


class Pong(Struct, frozen=True, tag="pong"):
    """The answer to a ping."""

    n: int


FromMod = (
    Hello
    | Knowledge
    | PlayerJoined
    | PlayerLeft
    | NpcState
    | Event
    | ActionResult
    | Chat
    | Rating
    | Demonstration
    | Consent
    | Ping
)
FromRuntime = Welcome | ReplyDelta | ReplyDone | ActionRequest | Freeze | Ack | Notice | ErrorReply | Pong
