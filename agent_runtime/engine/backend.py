"""What the step loop needs of a model: rows of tokens go in, sampled tokens come out.

`llama.Llama` is the real one. Nothing here imports an engine library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent_runtime.engine.interface import BASE_LANE
from agent_runtime.engine.sampling import Stage


class ContextFull(Exception):
    """No room in the KV cache for the batch; nothing was changed."""


class DecodeFailed(Exception):
    """The batch failed; what its sequences hold is undefined. The message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """What answers in one lane: the base, or an adapter on it. `weights` names base, adapter and scale:
    KV cells that were computed under other weights are garbage that looks plausible."""

    lane: str = BASE_LANE
    weights: str = ""
    adapter: Path | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """Consecutive tokens of one sequence from `position` on; `wanted` asks for the last one's logits."""

    sequence: int
    position: int
    tokens: Sequence[int]
    wanted: bool


@dataclass(frozen=True, slots=True)
class Size:
    """What a context is made for: sequences side by side, KV cells in all, tokens per batch,
    and threads."""

    sequences: int
    cells: int
    batch: int
    threads: int


class Memory(Protocol):
    """The KV cache, by sequences."""

    def copy(self, source: int, target: int, length: int) -> None:
        """Share the first cells of one sequence with another."""

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        """Forget a sequence's cells from position `start` up to `end`, or to its last."""

    def drop(self, sequence: int) -> None:
        """Forget a sequence."""

    def save(self, sequence: int) -> bytearray:
        """A copy of a sequence's cells, outside the cache; empty when it cannot be had."""

    def restore(self, sequence: int, state: bytearray) -> bool:
        """Put saved cells back, as all that the sequence has; false when there is no room."""


class Backend(Memory, Protocol):
    """A model with its KV cache, used from one thread only."""

    def use(self, version: Version) -> None:
        """Answer as this version from the next batch on. Raises `AdapterError`."""

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for."""

    def ends(self, token: int) -> bool:
        """Whether the reply is over with this token."""

    def decode(self, rows: Sequence[Row]) -> list[int]:
        """Run one batch; where each row's logits lie, or −1. Raises `ContextFull` or `DecodeFailed`."""

    def sampler(self, stages: Sequence[Stage]) -> object:
        """A new sampler; free it with `free`."""

    def sample(self, sampler: object, place: int, grammar: object = None) -> int:
        """Draw a token, and where there is a grammar, one that it allows."""

    def grammar(self, text: str) -> object:
        """A new grammar from GBNF; free it with `free`. None when it cannot be read."""

    def accept(self, grammar: object, token: int) -> bool:
        """Take a token that was said; false, and nothing is changed, when the grammar forbids it."""

    def free(self, sampler: object) -> None:
        """Give a sampler or a grammar back."""
