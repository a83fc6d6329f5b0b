"""What can be asked of a journal and what comes back: filters and result types. No SQL and no I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent_runtime.bridge.parts import ReplySource
from agent_runtime.journal.rows import ActionFate, ActionRow, Choice, NpcRow, RatingRow

MAX_ROWS = 10_000
"""The most rows of one answer; an export has no such limit."""
MAX_WHOLE_TURNS = 100
"""The most whole turns of one answer: each is several kilobytes."""
MAX_PLAYERS = 1000
"""The most players that one filter names."""

Text = Annotated[str, Meta(max_length=100)]


class Filter(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which rows, newest first. What is left at its default does not filter.

    `server` is a game server's id; `npc` is an id or a name; `players` are pseudonyms or their first digits;
    `turn` is an id or the end of one; `since` is included and `until` is not.
    """

    server: Text = ""
    npc: Text = ""
    players: Annotated[tuple[Text, ...], Meta(max_length=MAX_PLAYERS)] | None = None
    turn: Text = ""
    since: datetime | None = None
    until: datetime | None = None
    rated: bool = False
    flagged: bool = False
    limit: Annotated[int, Meta(ge=1, le=MAX_ROWS)] = 50


class TurnSummary(Struct, frozen=True):
    """A turn in one line. `rating` is the mean of its players' latest ones; `actions` are `name: fate`."""

    id: str
    said_at: datetime
    npc: str
    npc_name: str
    player: str
    line: str
    reply: str
    source: ReplySource
    version: int
    first_sentence_ms: float | None
    total_ms: float | None
    flagged: bool
    rating: float | None
    actions: tuple[str, ...]


class Rated(RatingRow, frozen=True, kw_only=True):
    """A rating; `latest` when its player gave no later one to that turn."""

    latest: bool


class RatingView(Rated, frozen=True, kw_only=True):
    """A rating with what was rated; the turn's columns are None when the journal has no such turn. `consent`
    is what its player decided last about training with their talk, None while they have not."""

    npc_name: str | None = None
    line: str | None = None
    reply: str | None = None
    consent: Choice | None = None


class Fate(ActionRow, frozen=True, kw_only=True):
    """What an NPC said it would do, and what became of it. `result` is None while the game has not told."""

    result: ActionFate | None = None
    result_reason: str | None = None


class ActionView(Fate, frozen=True, kw_only=True):
    """The same with when it was, and who was talking."""

    result_at: datetime | None = None
    said_at: datetime | None = None
    npc_name: str | None = None
    player: str | None = None

    @property
    def fate(self) -> str:
        """In one word: `refused` by policy, or what the game said, or `pending`."""
        return "refused" if self.verdict == "refused" else self.result or "pending"


class ConsentView(Struct, frozen=True):
    """What a player decided last about training with their talk, and when they were last erased, if ever."""

    player: str
    choice: Choice
    decided_at: datetime
    erased_at: datetime | None


class Erasure(Struct, frozen=True):
    """A player who had their talk erased, and when last: what was made before of their talk is void. It was
    the journal's erasure of that `number`, counted from 1."""

    player: str
    erased_at: datetime
    number: int


def erased_since(
    players: Iterable[str], made_at: datetime, seen: int | None, erased: Mapping[str, Erasure]
) -> set[str]:
    """Who of these players was erased after something was made of their talk: it has to be made again.

    `seen` is how many erasures the journal had then. Older releases did not note it; then the clock decides,
    `made_at` against the moment of the erasure. `erased` are the journal's erasures, by pseudonym.
    """
    theirs = [erased[player] for player in players if player in erased]
    if seen is None:
        return {each.player for each in theirs if each.erased_at > made_at}
    return {each.player for each in theirs if each.number > seen}


class ServerView(Struct, frozen=True):
    """A game server that has connected, under its latest name."""

    server: str
    server_name: str


class NpcView(NpcRow, frozen=True, kw_only=True):
    """An NPC as it was last heard of, and how many turns it has had."""

    turns: int


class Stats(Struct, frozen=True):
    """Totals. Milliseconds are from the player's line to the first whole sentence, of the model's turns;
    `withdrawn` players are those whose last word was not to allow training with their talk."""

    turns: int
    model_turns: int
    flagged: int
    npcs: int
    players: int
    ratings: int
    raters: int
    rated_turns: int
    mean_rating: float | None
    actions: int
    refused: int
    done: int
    failed: int
    events: int
    sessions: int
    allowed: int
    withdrawn: int
    erased: int
    first_at: datetime | None
    last_at: datetime | None
    first_sentence_p50_ms: float | None
    first_sentence_p95_ms: float | None
