"""One type per table of the journal: what a caller fills in is what is stored.

Times are UTC, `player` is a pseudonym (`pseudonym.Pseudonyms`), ids are ULIDs. No row ever replaces another:
what becomes of an action or of a session is a row of its own. Only `erasure` empties what a player said.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from msgspec import Struct

from agent_runtime.bridge.parts import ReplySource
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Fact, Message

ActionFate = Literal["done", "refused", "failed", "stale"]
Choice = Literal["allow", "withdraw", "erase"]


class Row(Struct, frozen=True, kw_only=True):
    """A row. `table` is where it goes. A table with a `key` ignores a row whose key it has already, and its
    rows are also kept in the ack log. Fields added later need a default, so that older logs still read."""

    table: ClassVar[str] = ""
    key: ClassVar[str | None] = "id"


class TurnRow(Row, frozen=True, kw_only=True):
    """One turn of talk with all that made it. `id` is the reply's and `chat` the player's line's.

    `raw` is what the model wrote and `reply` what was said; `quoted` numbers the facts, from 1, that
    the reply quotes. `version` 0 is the bare base. Milliseconds count from the line's arrival, but those to
    the first token from when the engine got the prompt. A canned line (`source` is not `model`) need not
    have a prompt and figures; a reply without a `finish` was broken off, because its player left.
    """

    table: ClassVar[str] = "turns"

    id: str
    chat: str
    session: str
    server: str
    server_name: str = ""
    npc: str
    npc_name: str
    persona: str
    player: str
    said_at: datetime
    how: str
    line: str
    reply: str
    raw: str = ""
    source: ReplySource = "model"
    version: int = 0
    base: str = ""
    adapter: str | None = None
    template: str = ""
    prompt: tuple[Message, ...] = ()
    facts: tuple[Fact, ...] = ()
    quoted: tuple[int, ...] = ()
    sampling: Sampling | None = None
    seed: int | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_ms: float | None = None
    first_sentence_ms: float | None = None
    total_ms: float | None = None
    finish: str | None = None
    flagged: bool = False
    flag_reason: str = ""


class ActionRow(Row, frozen=True, kw_only=True):
    """An action that a reply asked for, and what policy said to it."""

    table: ClassVar[str] = "actions"

    id: str
    turn: str
    name: str
    arguments: dict[str, str | int] = {}
    verdict: Literal["allowed", "refused"]
    reason: str = ""


class ActionResultRow(Row, frozen=True, kw_only=True):
    """What the game made of an allowed action; `id` is the action's."""

    table: ClassVar[str] = "action_results"

    id: str
    result: ActionFate
    result_reason: str = ""
    result_at: datetime


class RatingRow(Row, frozen=True, kw_only=True):
    """A player's judgement of a turn, 1 to 5. Of one player's on one turn the last to arrive counts."""

    table: ClassVar[str] = "ratings"

    id: str
    turn: str
    player: str
    value: int
    scale: Literal["stars", "thumb"]
    rated_at: datetime


class DemonstrationRow(Row, frozen=True, kw_only=True):
    """What the NPC should have said, in the words of the player it had answered."""

    table: ClassVar[str] = "demonstrations"

    id: str
    turn: str
    player: str
    text: str
    shown_at: datetime


class ConsentRow(Row, frozen=True, kw_only=True):
    """What a player decided about training with their talk; the last to arrive counts. With `erase` the
    player's earlier texts are gone as soon as the row is there."""

    table: ClassVar[str] = "consents"

    id: str
    player: str
    choice: Choice
    decided_at: datetime


class SessionRow(Row, frozen=True, kw_only=True):
    """A game server connected."""

    table: ClassVar[str] = "sessions"

    id: str
    server: str
    server_name: str = ""
    engine: str = ""
    game: str = ""
    mod: str = ""
    opened_at: datetime


class SessionEndRow(Row, frozen=True, kw_only=True):
    """A game server's connection ended, and why; `id` is the session's."""

    table: ClassVar[str] = "session_ends"

    id: str
    closed_at: datetime
    reason: str = ""


class EventRow(Row, frozen=True, kw_only=True):
    """Something that happened in a world. `game_s` is the mod's monotonic clock in seconds."""

    table: ClassVar[str] = "events"
    key: ClassVar[str | None] = None

    server: str
    received_at: datetime
    game_s: float
    kind: str
    player: str
    what: str = ""
    x: float | None = None
    y: float | None = None
    z: float | None = None


class NpcRow(Row, frozen=True, kw_only=True):
    """Where an NPC was, and what had just become of it; the last one to arrive counts."""

    table: ClassVar[str] = "npc_states"
    key: ClassVar[str | None] = None

    id: str
    server: str
    name: str
    persona: str
    x: float
    y: float
    z: float
    state: Literal["spawned", "moved", "removed"]
    seen_at: datetime


ROWS: tuple[type[Row], ...] = (
    SessionRow,
    TurnRow,
    ActionRow,
    ActionResultRow,
    RatingRow,
    DemonstrationRow,
    SessionEndRow,
    EventRow,
    NpcRow,
    ConsentRow,
)
"""Every row type; a batch is written in this order, so that an erasure reaches what came with it."""
