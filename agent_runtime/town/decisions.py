"""What players decide about their talk, in the game or through an admin, comes in; it holds when `decide`
returns, and with an erasure no reply under way remembers or writes down a word of before.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from agent_runtime.journal.consent import decide
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.memory import Memory
from agent_runtime.town.underway import Underway

log = structlog.get_logger(__name__)


class Decisions:
    """Decisions of all players, who go by their pseudonym."""

    def __init__(self, journal: Journal, memory: Memory, underway: Underway) -> None:
        self._journal = journal
        self._memory = memory
        self._underway = underway
        self._orders: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def in_order(self, player: str) -> asyncio.Lock:
        """Held while something that a player sent is stored: it is stored in the order in which it came, so
        that no correction follows the erasure that it was sent before."""
        return self._orders.setdefault(player, asyncio.Lock())

    async def decide(self, *rows: ConsentRow) -> list[Path]:
        """Store decisions; returns the snapshots that were deleted because they held an erased player.

        What is just being said to who wants to be erased ends first, and lines that come meanwhile wait.
        Raises `JournalError`, and then it has to be asked again; asking twice is harmless.
        """
        erased = sorted({row.player for row in rows if row.choice == "erase"})
        async with AsyncExitStack() as stack:
            for player in sorted({row.player for row in rows}):
                await stack.enter_async_context(self.in_order(player))
            for player in erased:
                await stack.enter_async_context(self._underway.none_of(player))
            # Nobody remembers anew before the journal has forgotten: no reply goes on.
            self._memory.forget(erased)
            removed = await decide(self._journal, *rows)
        if erased:
            log.info("players_erased", players=len(erased), snapshots_removed=len(removed))
        return removed
