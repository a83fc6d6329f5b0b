"""Shared beginnings of prompts: tokens come in, the sequence that keeps their KV cells goes out.

Pure bookkeeping over a fixed set of sequence ids; the least recently used idle prefix goes first, and a
prefix in use is never given away. One cache belongs to one model: a new model gets a new cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Prefix:
    """A stretch of tokens in its own sequence, computed up to `fed`; `users` talks build on it."""

    tokens: tuple[int, ...]
    sequence: int
    fed: int = 0
    users: int = 0

    @property
    def pending(self) -> int:
        """Tokens still to be computed."""
        return len(self.tokens) - self.fed


class PrefixCache:
    """The prefixes of one model, by their tokens."""

    def __init__(self, sequences: Iterable[int]) -> None:
        self._free = list(sequences)
        self._kept: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()
        self.cells = 0

    def find(self, tokens: tuple[int, ...]) -> Prefix | None:
        """The prefix with exactly these tokens, now the most recently used."""
        prefix = self._kept.get(tokens)
        if prefix:
            self._kept.move_to_end(tokens)
        return prefix

    def add(self, tokens: tuple[int, ...]) -> Prefix | None:
        """A new prefix, not computed yet; None when no sequence id is free (`evict` first)."""
        if not self._free:
            return None
        prefix = self._kept[tokens] = Prefix(tokens, self._free.pop())
        self.cells += len(tokens)
        return prefix

    def evict(self) -> Prefix | None:
        """Take out the least recently used idle prefix, None when all are in use. The caller drops
        its sequence."""
        for prefix in self._kept.values():
            if not prefix.users:
                self.remove(prefix)
                return prefix
        return None

    def remove(self, prefix: Prefix) -> None:
        """Take out one prefix, whatever its use. The caller drops its sequence."""
        if self._kept.get(prefix.tokens) is prefix:
            del self._kept[prefix.tokens]
            self._free.append(prefix.sequence)
            self.cells -= len(prefix.tokens)

    def wanted(self) -> list[Prefix]:
        """Prefixes that somebody waits for."""
        return [prefix for prefix in self._kept.values() if prefix.users and prefix.pending]
