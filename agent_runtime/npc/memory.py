"""What an NPC remembers of a player: the last exchanges of each talk, oldest first.

A ring per talk in memory, filled from the journal when a talk is met again, so that it outlives restarts.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable

from agent_runtime.npc.prompt import Exchange

EXCHANGES = 32
"""As many exchanges of a talk are remembered."""

Load = Callable[[str, str, int], Awaitable[list[Exchange]]]


class Memory:
    """Rings of exchanges by talk (an NPC and a player). `load(npc, player, limit)` reads older ones."""

    def __init__(self, load: Load, exchanges: int = EXCHANGES, talks: int = 2000) -> None:
        self._load = load
        self._exchanges = exchanges
        self._talks = talks
        self._rings: OrderedDict[tuple[str, str], deque[Exchange]] = OrderedDict()

    async def recall(self, npc: str, player: str) -> list[Exchange]:
        """The talk so far, oldest first."""
        return list(await self._ring(npc, player))

    async def keep(self, npc: str, player: str, exchange: Exchange) -> None:
        """Add the newest exchange; the oldest falls out of a full ring."""
        (await self._ring(npc, player)).append(exchange)

    def forget(self, players: Iterable[str]) -> None:
        """Drop every talk of these players; what the journal still has comes back when they talk again."""
        gone = set(players)
        for talk in [talk for talk in self._rings if talk[1] in gone]:
            del self._rings[talk]

    async def _ring(self, npc: str, player: str) -> deque[Exchange]:
        talk = (npc, player)
        ring = self._rings.get(talk)
        if ring is None:
            loaded = await self._load(npc, player, self._exchanges)
            ring = self._rings.setdefault(talk, deque(loaded, maxlen=self._exchanges))
        self._rings.move_to_end(talk)
        while len(self._rings) > self._talks:
            self._rings.popitem(last=False)
        return ring
