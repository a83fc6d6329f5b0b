"""Who gets an NPC's attention and when: a line comes in, and either its turn comes or the reason why not.

Each player may say so many lines in a window; each NPC talks with a few at once and lets a few wait, but
not for ever; two lines of one talk are answered one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from agent_runtime.clock import Clock
from agent_runtime.window import Window

WINDOW_SECONDS = 10.0


class TooFast(Exception):
    """This player has said too many lines in the window."""


class TooMany(Exception):
    """Too many already wait for this NPC."""


class TooLate(Exception):
    """The turn did not come in time."""


@dataclass(slots=True)
class _Npc:
    places: asyncio.Semaphore
    present: int = 0


@dataclass(slots=True)
class _Talk:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Attention:
    """Rate limit, queue and order. Keys are whatever identifies a player, an NPC and a talk."""

    def __init__(self, clock: Clock, lines_per_window: int, talks_per_npc: int, queue_per_npc: int) -> None:
        self._clock = clock
        self._lines_per_window = lines_per_window
        self._talks_per_npc = talks_per_npc
        self._places_per_npc = talks_per_npc + queue_per_npc
        self._recent: dict[Hashable, Window] = {}
        self._npcs: dict[Hashable, _Npc] = {}
        self._talks: dict[Hashable, _Talk] = {}

    def note_line(self, player: Hashable) -> None:
        """Count a line against the player's limit. Raises `TooFast`."""
        now = self._clock.monotonic()
        recent = self._recent.setdefault(player, Window(WINDOW_SECONDS))
        if recent.count(now) >= self._lines_per_window:
            raise TooFast
        recent.add(now)

    def forget(self, player: Hashable) -> None:
        """The player left."""
        self._recent.pop(player, None)

    @asynccontextmanager
    async def turn(self, npc: Hashable, talk: Hashable, patience: float) -> AsyncIterator[None]:
        """Wait for this talk's turn with the NPC, for `patience` seconds. Raises `TooMany` at once when the
        queue is full, and `TooLate`."""
        waiting = self._npcs.setdefault(npc, _Npc(asyncio.Semaphore(self._talks_per_npc)))
        if waiting.present >= self._places_per_npc:
            raise TooMany
        order = self._talks.setdefault(talk, _Talk())
        waiting.present += 1
        order.users += 1
        try:
            async with AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(patience):
                        await held.enter_async_context(order.lock)
                        await held.enter_async_context(waiting.places)
                except TimeoutError as error:
                    raise TooLate from error
                yield
        finally:
            waiting.present -= 1
            order.users -= 1
            if not waiting.present:
                del self._npcs[npc]
            if not order.users:
                del self._talks[talk]
