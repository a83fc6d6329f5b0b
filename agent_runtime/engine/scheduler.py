"""Who joins the next batch: talks come in, the rows of one step go out.

Pure bookkeeping: the only effects are the two of `Memory`. A talk takes a slot only when the KV cells
of its prompt and its longest possible reply are free, so nobody runs out of cache in mid-sentence.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from agent_runtime.engine.prefix import Prefix, PrefixCache
from agent_runtime.engine.talk import Talk

CHUNK_ALONE = 512
CHUNK_BESIDE = 64


class Memory(Protocol):
    """The KV cache, by sequences."""

    def copy(self, source: int, target: int, length: int) -> None:
        """Share the first cells of one sequence with another."""

    def drop(self, sequence: int) -> None:
        """Forget a sequence."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one owner puts into the next batch: its next `count` tokens."""

    owner: Talk | Prefix
    count: int


class Scheduler:
    """`slots` talks side by side in sequences 0 to slots − 1, prefixes in the ids after them."""

    def __init__(self, memory: Memory, slots: int, prefixes: int, cells: int) -> None:
        self._memory = memory
        self._cells = cells
        self._free = list(range(slots - 1, -1, -1))
        self._waiting: deque[Talk] = deque()
        self._running: list[Talk] = []
        self._prefixes = PrefixCache(range(slots, slots + prefixes))
        self._reserved = 0

    @property
    def talks(self) -> list[Talk]:
        """All talks, running ones first."""
        return [*self._running, *self._waiting]

    @property
    def idle(self) -> bool:
        """Whether nobody speaks and nobody waits."""
        return not (self._running or self._waiting)

    @property
    def running(self) -> list[Talk]:
        """Talks that hold a slot, the oldest first."""
        return list(self._running)

    def add(self, talk: Talk) -> None:
        """Put a talk at the end of the queue."""
        self._waiting.append(talk)

    def remove(self, talk: Talk) -> None:
        """Forget a talk, wherever it is; its slot and its cells are free at once."""
        if talk.sequence < 0:
            self._waiting.remove(talk)
            return
        self._running.remove(talk)
        self._memory.drop(talk.sequence)
        self._free.append(talk.sequence)
        self._reserved -= talk.cells
        if talk.prefix:
            talk.prefix.users -= 1
        talk.sequence = -1

    def admit(self) -> None:
        """Give slots to those who wait, first come first served."""
        while self._waiting and self._free and self._seat(self._waiting[0]):
            self._running.append(self._waiting.popleft())

    def plan(self) -> list[Share]:
        """The next batch: one token of everyone who speaks, then stretches of prompts, shortest
        first, so that a newcomer with a warm prefix is not held up by a long cold one."""
        for talk in self._running:
            if talk.prefix and not talk.prefix.pending and not talk.fed:
                self._memory.copy(talk.prefix.sequence, talk.sequence, talk.shared)
                talk.fed = talk.shared
        speaking = [Share(talk, 1) for talk in self._running if talk.said]
        reading: list[Talk | Prefix] = [
            talk
            for talk in self._running
            if not talk.said and talk.pending and not (talk.prefix and talk.prefix.pending)
        ]
        reading += self._prefixes.wanted()
        reading.sort(key=lambda owner: owner.pending)
        room = CHUNK_BESIDE if speaking else CHUNK_ALONE
        shares = speaking
        for owner in reading:
            count = min(room, owner.pending)
            if not count:
                break
            shares.append(Share(owner, count))
            room -= count
        return shares

    def evict(self) -> bool:
        """Give the cells of one idle prefix back; false when there is none."""
        prefix = self._prefixes.evict()
        if prefix:
            self._memory.drop(prefix.sequence)
        return prefix is not None

    def discard(self, prefix: Prefix) -> list[Talk]:
        """Forget a prefix whose cells are undefined. Returns the talks that waited for it; the caller
        removes them."""
        self._prefixes.remove(prefix)
        self._memory.drop(prefix.sequence)
        return [talk for talk in self._running if talk.prefix is prefix and talk.fed < talk.shared]

    def _seat(self, talk: Talk) -> bool:
        key = tuple(talk.prompt[: talk.shared])
        prefix = self._prefixes.find(key) if key else None
        known = prefix is not None
        if prefix:
            prefix.users += 1
        need = len(talk.prompt) + talk.limit - (len(key) if known else 0)
        while self._reserved + self._prefixes.cells + need > self._cells:
            if not self.evict():
                if prefix:
                    prefix.users -= 1
                return False
        if key and not prefix:
            prefix = self._prefixes.add(key) or (self._prefixes.add(key) if self.evict() else None)
            if prefix:
                prefix.users += 1
        talk.prefix = prefix
        talk.cached = len(key) if known else 0
        talk.cells = len(talk.prompt) + talk.limit - (len(key) if prefix else 0)
        talk.sequence = self._free.pop()
        self._reserved += talk.cells
        return True
