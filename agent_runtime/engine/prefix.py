"""Shared beginnings of prompts: tokens come in, the sequence that keeps their KV cells goes out.

A fixed set of sequence ids; a prefix that nobody uses is put on the shelf when its cells or its id are
wanted, the least recently used first, and comes back from there. A prefix belongs to the weights that
computed it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from agent_runtime.engine.backend import Memory, Version
from agent_runtime.engine.shelf import Name, Parked, Shelf


@dataclass(slots=True, eq=False)
class Prefix:
    """A stretch of tokens in its own sequence, computed up to `fed`; `users` talks build on it."""

    version: Version
    tokens: tuple[int, ...]
    sequence: int
    fed: int = 0
    users: int = 0

    @property
    def pending(self) -> int:
        """Tokens still to be computed."""
        return len(self.tokens) - self.fed

    @property
    def name(self) -> Name:
        """What it is known by, here and on the shelf."""
        return self.version.weights, self.tokens


class PrefixCache:
    """The prefixes of one model. `cells` counts those in the context, `idle` those of them that nobody
    uses."""

    def __init__(self, memory: Memory, sequences: Iterable[int], shelf: Shelf) -> None:
        self._memory = memory
        self._free = list(sequences)
        self._shelf = shelf
        self._kept: OrderedDict[Name, Prefix] = OrderedDict()
        self.cells = 0

    @property
    def idle(self) -> int:
        """Cells in the context that nobody uses."""
        return sum(len(prefix.tokens) for prefix in self._kept.values() if not prefix.users)

    def find(self, version: Version, tokens: tuple[int, ...]) -> Prefix | None:
        """The prefix with exactly these tokens, if the context has it; now the most recently used."""
        prefix = self._kept.get((version.weights, tokens))
        if prefix:
            self._kept.move_to_end(prefix.name)
        return prefix

    def add(self, version: Version, tokens: tuple[int, ...]) -> Prefix | None:
        """A prefix for these tokens: from the shelf where it has them, to be computed otherwise. None
        when no sequence id is free (`evict` first)."""
        if not self._free:
            return None
        prefix = Prefix(version, tokens, self._free.pop())
        self._kept[prefix.name] = prefix
        self.cells += len(tokens)
        parked = self._shelf.get(prefix.name)
        if parked and self._memory.restore(prefix.sequence, parked.state):
            prefix.fed = len(tokens)
        return prefix

    def evict(self) -> bool:
        """Put the least recently used idle prefix on the shelf; false when all are in use."""
        for prefix in self._kept.values():
            if not prefix.users:
                # What the shelf has of it is still right: a prefix never changes.
                if not prefix.pending and not self._shelf.get(prefix.name):
                    state = self._memory.save(prefix.sequence)
                    if state:
                        self._shelf.put(prefix.name, Parked(prefix.tokens, 0, state))
                self.remove(prefix)
                return True
        return False

    def remove(self, prefix: Prefix) -> None:
        """Take one prefix out of the context, whatever its use."""
        if self._kept.get(prefix.name) is prefix:
            del self._kept[prefix.name]
            self._memory.drop(prefix.sequence)
            self._free.append(prefix.sequence)
            self.cells -= len(prefix.tokens)

    def clear(self, weights: str | None = None) -> None:
        """Take out every idle prefix, or only those of some weights, without keeping anything."""
        for prefix in list(self._kept.values()):
            if not prefix.users and weights in (None, prefix.version.weights):
                self.remove(prefix)
