"""A model in plain Python that implements `engine.backend.Backend` in full: rows come in, tokens go out.

Its next token depends on every token of a sequence, so a wrong or missing KV cell changes the reply.
It keeps the KV cache as an engine does: cells shared by copies, counted once, refused when all are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from agent_runtime.engine.backend import ContextFull, DecodeFailed, Row
from agent_runtime.engine.sampling import Stage

END = 0
POISON = 999


class PlainBackend:
    """`cells` is the size of the KV cache. A batch with the token `POISON` fails. `vocabulary` tokens
    are spelled as letters."""

    def __init__(self, cells: int, vocabulary: int = 26, end: int = END) -> None:
        self.cells = cells
        self.vocabulary = vocabulary
        self.end = end
        self.batches: list[list[Row]] = []
        self.samplers = 0
        self._kept: dict[int, list[tuple[int, object]]] = {}
        self._logits: dict[int, int] = {}

    @property
    def used(self) -> int:
        """Cells taken; one that several sequences share counts once."""
        return len({id(cell) for sequence in self._kept.values() for _, cell in sequence})

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
            kept = self._kept.setdefault(row.sequence, [])
            assert len(kept) == row.position, "a row must go on where its sequence ends"
            kept += [(token, object()) for token in row.tokens]
            end += len(row.tokens)
            if row.wanted:
                self._logits[end - 1] = self.next([token for token, _ in kept])
            places.append(end - 1 if row.wanted else -1)
        return places

    def next(self, tokens: Sequence[int]) -> int:
        """What follows these tokens."""
        return sha256(repr(list(tokens)).encode()).digest()[0] % self.vocabulary

    def sampler(self, stages: Sequence[Stage]) -> object:
        self.samplers += 1
        return object()

    def sample(self, sampler: object, place: int) -> int:
        return self._logits[place]

    def free(self, sampler: object) -> None:
        self.samplers -= 1

    def copy(self, source: int, target: int, length: int) -> None:
        assert not self._kept.get(target), "a sequence must be dropped before it is used again"
        self._kept[target] = self._kept[source][:length]

    def drop(self, sequence: int) -> None:
        self._kept.pop(sequence, None)
