"""A model in plain Python that implements `engine.backend.Backend` in full: rows come in, tokens go out.

Its next token depends on every token of a sequence, and on the weights that each was computed under, so a
wrong or missing KV cell changes the reply.
It keeps the KV cache as an engine does: cells shared by copies, counted once, refused when all are taken.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from agent_runtime.engine.backend import ContextFull, DecodeFailed, Row, Version
from agent_runtime.engine.sampling import Stage

END = 0
POISON = 999


@dataclass(slots=True, eq=False)
class _Cell:
    token: int
    weights: str


class PlainBackend:
    """`cells` is the size of the KV cache. A batch with the token `POISON` fails. `vocabulary` tokens
    are spelled as letters."""

    def __init__(self, cells: int, vocabulary: int = 26, end: int = END) -> None:
        self.cells = cells
        self.vocabulary = vocabulary
        self.end = end
        self.batches: list[list[Row]] = []
        self.samplers = 0
        self.restored = 0
        self._weights = ""
        self._kept: dict[int, dict[int, _Cell]] = {}
        self._logits: dict[int, int] = {}

    @property
    def used(self) -> int:
        """Cells taken; one that several sequences share counts once."""
        return len({id(cell) for cells in self._kept.values() for cell in cells.values()})

    def use(self, version: Version) -> None:
        self._weights = version.weights

    def piece(self, token: int) -> bytes:
        return bytes([ord("a") + token % 26])

    def ends(self, token: int) -> bool:
        return token == self.end

    def decode(self, rows: Sequence[Row]) -> list[int]:
        if self.used + sum(len(row.tokens) for row in rows) > self.cells:
            raise ContextFull
        self.batches.append(list(rows))
        if any(POISON in row.tokens for row in rows):
            raise DecodeFailed("poisoned")
        places, self._logits, end = [], {}, 0
        for row in rows:
            kept = self._kept.setdefault(row.sequence, {})
            assert sorted(kept) == list(range(row.position)), "a row must go on where its sequence ends"
            kept |= {
                row.position + place: _Cell(token, self._weights) for place, token in enumerate(row.tokens)
            }
            end += len(row.tokens)
            if row.wanted:
                assert {cell.weights for cell in kept.values()} == {self._weights}, "cells of other weights"
                tokens = [kept[position].token for position in sorted(kept)]
                self._logits[end - 1] = self.next(tokens, self._weights)
            places.append(end - 1 if row.wanted else -1)
        return places

    def next(self, tokens: Sequence[int], weights: str = "") -> int:
        """What follows these tokens."""
        return sha256(f"{weights}{list(tokens)}".encode()).digest()[0] % self.vocabulary

    def sampler(self, stages: Sequence[Stage]) -> object:
        self.samplers += 1
        return object()

    def sample(self, sampler: object, place: int, grammar: object = None) -> int:
        token = self._logits[place]
        while grammar is not None and not self.accept(grammar, token):
            token = (token + 1) % self.vocabulary
        return token

    def grammar(self, text: str) -> object:
        """Here a grammar is a set of letters."""
        self.samplers += 1
        return text.encode()

    def accept(self, grammar: object, token: int) -> bool:
        assert isinstance(grammar, bytes)
        return self.piece(token) in grammar

    def free(self, sampler: object) -> None:
        self.samplers -= 1

    def copy(self, source: int, target: int, length: int) -> None:
        kept = self._kept.setdefault(target, {})
        assert not kept.keys() & range(length), "cells must be dropped before they are used again"
        kept |= {position: self._kept[source][position] for position in range(length)}

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        kept = self._kept.get(sequence, {})
        for position in [position for position in kept if position >= start and not 0 <= end <= position]:
            del kept[position]

    def drop(self, sequence: int) -> None:
        self._kept.pop(sequence, None)

    def save(self, sequence: int) -> bytearray:
        return bytearray(pickle.dumps(self._kept.get(sequence, {})))

    def restore(self, sequence: int, state: bytearray) -> bool:
        cells = pickle.loads(state)
        self.drop(sequence)
        if self.used + len(cells) > self.cells:
            return False
        self._kept[sequence] = cells
        self.restored += 1
        return True
