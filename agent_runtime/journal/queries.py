"""The read side: questions come in, typed rows go out. Nothing here writes or blocks the event loop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import duckdb
import msgspec

from agent_runtime.journal import statements
from agent_runtime.journal.rows import EventRow, TurnRow
from agent_runtime.journal.statements import QueryName
from agent_runtime.journal.views import (
    MAX_ROWS,
    ActionView,
    ConsentView,
    Erasure,
    Filter,
    NpcView,
    RatingView,
    Stats,
    TurnSummary,
)
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Exchange

View = TypeVar("View")
ALL = Filter()


def rows_as_json(cursor: duckdb.DuckDBPyConnection, query: QueryName, chosen: Filter = ALL) -> list[str]:
    """The rows of a query, newest first, as JSON objects. Raises `JournalError` for an unfit filter."""
    statement = statements.select(query, chosen)
    return [row for (row,) in cursor.execute(*statement).fetchall()]


def decoded(rows: list[str] | list[bytes], view: type[View]) -> list[View]:
    """JSON objects as typed rows."""
    return [msgspec.json.decode(row, type=view) for row in rows]


class Queries:
    """The questions that the runtime itself asks, with typed answers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def turns(self, chosen: Filter = ALL) -> list[TurnSummary]:
        return await self._ask("turns", chosen, TurnSummary)

    async def turn(self, id: str) -> TurnRow | None:
        """One whole turn by its id or the end of it; the newest, if several have that end."""
        found = await self._ask("turn", Filter(turn=id, limit=1), TurnRow)
        return found[0] if found else None

    async def ratings(self, chosen: Filter = ALL) -> list[RatingView]:
        return await self._ask("ratings", chosen, RatingView)

    async def events(self, chosen: Filter = ALL) -> list[EventRow]:
        return await self._ask("events", chosen, EventRow)

    async def actions(self, chosen: Filter = ALL) -> list[ActionView]:
        return await self._ask("actions", chosen, ActionView)

    async def consents(self, chosen: Filter = ALL) -> list[ConsentView]:
        """What each player decided last; who never did is not among them."""
        return await self._ask("consents", chosen, ConsentView)

    async def erasures(self) -> list[Erasure]:
        """Every player who was ever erased, and when last."""
        return await self._ask("erasures", Filter(limit=MAX_ROWS), Erasure)

    async def npcs(self, server: str = "") -> list[NpcView]:
        """The NPCs of all game servers or of one, as they were last heard of."""
        return await self._ask("npcs", Filter(server=server, limit=MAX_ROWS), NpcView)

    async def stats(self) -> Stats:
        return (await self._ask("stats", ALL, Stats))[0]

    async def recent_exchanges(self, npc: str, player: str, limit: int = 32) -> list[Exchange]:
        """The last exchanges of an NPC and a player (a pseudonym), oldest first; without canned lines."""

        def read() -> list[Exchange]:
            with self._journal.database.cursor() as cursor:
                found = cursor.execute(
                    "select line, reply from turns where npc = ? and player = ? and source = 'model' "
                    "and reply <> '' order by said_at desc, id desc limit ?",
                    [npc, player, limit],
                ).fetchall()
            return [Exchange(line, reply) for line, reply in reversed(found)]

        return await asyncio.to_thread(read)

    async def _ask(self, query: QueryName, chosen: Filter, view: type[View]) -> list[View]:
        def read() -> list[View]:
            with self._journal.database.cursor() as cursor:
                return decoded(rows_as_json(cursor, query, chosen), view)

        return await asyncio.to_thread(read)
