"""Who joins the next batch: talks come in, the rows of one step go out.

Pure bookkeeping: the only effects are those of `Memory`. A talk takes a slot only when the KV cells
of its prompt and its longest possible reply are free, so nobody runs out of cache in mid-sentence.
A batch belongs to one version, for the engine library puts one adapter on a whole batch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from agent_runtime.engine.backend import Memory, Version
from agent_runtime.engine.interface import Priority
from agent_runtime.engine.prefix import Prefix, PrefixCache
from agent_runtime.engine.shelf import Parked, Shelf
from agent_runtime.engine.talk import Talk

CHUNK_ALONE = 512
CHUNK_BESIDE = 64

# Cells that idle prefixes may take up in the context: beyond that they slow everybody down.
_IDLE_CELLS = 256
# Beside players, background work joins every so many batches only.
_BACKGROUND_EVERY = 4


@dataclass(frozen=True, slots=True)
class Share:
    """What one owner puts into the next batch: its next `count` tokens."""

    owner: Talk | Prefix
    count: int


class Scheduler:
    """`slots` talks side by side in sequences 0 to slots − 1, prefixes in the ids after them. A quarter
    of the slots is kept for players, and half of them from background work."""

    def __init__(self, memory: Memory, slots: int, prefixes: int, cells: int, shelf: Shelf) -> None:
        self._memory = memory
        self._cells = cells
        self._shelf = shelf
        self._free = list(range(slots - 1, -1, -1))
        self._most = {
            Priority.PLAYER: slots,
            Priority.CHATTER: slots - slots // 4,
            Priority.BACKGROUND: slots - slots // 2,
        }
        self._waiting: list[Talk] = []
        self._running: list[Talk] = []
        self._prefixes = PrefixCache(memory, range(slots, slots + prefixes), shelf)
        self._reserved = 0
        self._batches = 0
        self._hurried = False
        self._served: dict[Version, int] = {}

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

    def remove(self, talk: Talk, keep: bool = True) -> None:
        """Forget a talk, wherever it is; its slot and its cells are free at once. Without `keep`,
        nothing that it computed is trusted."""
        if talk.sequence < 0:
            self._waiting.remove(talk)
            return
        self._running.remove(talk)
        if keep and talk.key and talk.fed > talk.start:
            self._park(talk)
        self._memory.drop(talk.sequence)
        self._free.append(talk.sequence)
        self._reserved -= talk.cells
        if talk.prefix:
            talk.prefix.users -= 1
        talk.sequence = -1
        while self._prefixes.idle > _IDLE_CELLS and self._prefixes.evict():
            pass

    def admit(self) -> None:
        """Give slots to those who wait: players first, and among equals whoever's player has the fewest
        replies under way, then whoever came first."""
        while self._waiting and self._free:
            busy = Counter(talk.player for talk in self._running)
            waiting = [talk for talk in self._waiting if len(self._running) < self._most[talk.priority]]
            if not waiting:
                return
            # Whoever has no name (such as a prefix that is warmed) is nobody's second reply.
            talk = min(waiting, key=lambda talk: (talk.priority, busy[talk.player] if talk.player else 0))
            if not self._seat(talk):
                return
            self._waiting.remove(talk)
            self._running.append(talk)

    def plan(self, beside: bool = False, bearable: int = 0) -> list[Share]:
        """The next batch, all of one version: one token of everyone who speaks, then stretches of
        prompts, shortest first, so that a newcomer with a warm prefix is not held up by a long cold one.
        Players whose prompts end within one stretch are read by themselves, every other batch at most:
        a first word is waited for, and a missed step is not felt. `beside` says that others speak
        elsewhere and wait meanwhile; so many tokens (`bearable`) hold up those who speak by what they do
        not feel."""
        for talk in self._running:
            if not talk.begun and not (talk.prefix and talk.prefix.pending):
                self._begin(talk)
        talks = self._turn()
        speaking = [Share(talk, 1) for talk in talks if talk.said]
        reading: dict[Talk | Prefix, Priority] = {}
        for talk in talks:
            if not talk.said:
                owner = talk.prefix if talk.prefix and talk.prefix.pending else talk
                reading[owner] = min(talk.priority, reading.get(owner, talk.priority))
        beside = beside or any(talk.said for talk in self._running)
        room = min(max(CHUNK_BESIDE, bearable) if beside else CHUNK_ALONE, CHUNK_ALONE - len(speaking))
        queue = sorted(reading, key=lambda owner: (reading[owner], owner.pending))
        newcomers = [] if self._hurried else _newcomers(queue, reading, room)
        self._hurried = bool(speaking and newcomers)
        shares = [] if self._hurried else speaking
        for owner in newcomers if self._hurried else queue:
            count = min(room, owner.pending)
            if count:
                shares.append(Share(owner, count))
                room -= count
        return shares

    def evict(self) -> bool:
        """Give the cells of one idle prefix back; false when there is none."""
        return self._prefixes.evict()

    def forget(self, version: Version | None = None) -> None:
        """Forget the idle cells in the context, and all that is kept of a version that has ended."""
        self._prefixes.clear(version.weights if version else None)
        if version:
            self._shelf.forget(version.weights)
            self._served.pop(version, None)

    def discard(self, prefix: Prefix) -> list[Talk]:
        """Forget a prefix whose cells are undefined. Returns the talks that waited for it; the caller
        removes them."""
        self._prefixes.remove(prefix)
        return [talk for talk in self._running if talk.prefix is prefix and talk.fed < talk.shared]

    def _turn(self) -> list[Talk]:
        """Those who may be in the next batch: of the versions with anything to do, the one that waited
        longest."""
        self._batches += 1
        talks = self._running
        if self._batches % _BACKGROUND_EVERY:
            talks = [talk for talk in talks if talk.priority is not Priority.BACKGROUND] or talks
        if not talks:
            return []
        version = min((talk.version for talk in talks), key=lambda version: self._served.get(version, 0))
        self._served[version] = self._batches
        return [talk for talk in talks if talk.version is version]

    def _begin(self, talk: Talk) -> None:
        """Give a talk the cells that are known already: its prefix's, and those of its last turn."""
        talk.begun = True
        talk.fed = self._unpark(talk)
        if talk.prefix:
            self._memory.copy(talk.prefix.sequence, talk.sequence, talk.shared)

    def _unpark(self, talk: Talk) -> int:
        """How many tokens are known, once the talk's own kept cells are back."""
        parked = self._shelf.get((talk.version.weights, talk.key)) if talk.key else None
        if parked is None or parked.start != talk.start:
            return talk.start
        # The last token is read again: what follows it is not kept.
        most = len(talk.prompt) - bool(talk.limit)
        same = next(
            (
                place
                for place, (old, new) in enumerate(zip(parked.tokens, talk.prompt[:most], strict=False))
                if old != new
            ),
            min(len(parked.tokens), most),
        )
        if same <= talk.start or not self._memory.restore(talk.sequence, parked.state):
            return talk.start
        self._memory.cut(talk.sequence, same)
        talk.cached = same
        return same

    def _park(self, talk: Talk) -> None:
        self._memory.cut(talk.sequence, 0, talk.start)
        state = self._memory.save(talk.sequence)
        if state:
            parked = Parked(tuple(talk.tokens[: talk.fed]), talk.start, state)
            self._shelf.put((talk.version.weights, talk.key), parked)

    def _seat(self, talk: Talk) -> bool:
        key = tuple(talk.prompt[: talk.shared])
        prefix = self._prefixes.find(talk.version, key) if key else None
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
            prefix = self._prefixes.add(talk.version, key)
            if not prefix and self.evict():
                prefix = self._prefixes.add(talk.version, key)
            if prefix:
                prefix.users += 1
        talk.prefix = prefix
        talk.cached = len(key) if known or (prefix and not prefix.pending) else 0
        talk.cells = len(talk.prompt) + talk.limit - (len(key) if prefix else 0)
        talk.sequence = self._free.pop()
        self._reserved += talk.cells
        return True


def _newcomers(
    queue: list[Talk | Prefix], reading: dict[Talk | Prefix, Priority], room: int
) -> list[Talk | Prefix]:
    """Players of the queue whose prompts are read to the end in one stretch of `room` tokens."""
    found: list[Talk | Prefix] = []
    for owner in queue:
        room -= owner.pending
        if room < 0 or isinstance(owner, Prefix) or reading[owner] is not Priority.PLAYER:
            break
        found.append(owner)
    return found
