"""How many threads decode: a model and how long its steps take come in, a number of threads goes out.

One core stays free, because decoding on all of them collapses when a game server wants one. Fewer may be
faster still: threads of a small model wait for each other longer than they work, and all wait for the one
that a busy neighbour has pushed aside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from agent_runtime.engine.backend import Row

_TRIES = 3
_TALKS = 8
# How long measuring may take, for talks wait meanwhile. Only a slow model takes longer, as long as fewer
# threads turn out to be faster.
_SECONDS = 0.25
# Steps are slow when they take so many times as long as the fastest of their size.
_SLOW = 2.5
_SLOW_SECONDS = 3.0
_PAUSE_SECONDS = 20.0
# Tokens of a batch that is more than everybody's next word.
_STRETCH = 64
# What a clock may miss.
_TICK = 1e-9


class Model(Protocol):
    """What measuring needs of a model."""

    def decode(self, rows: Sequence[Row]) -> list[int]:
        """Run one batch."""

    def drop(self, sequence: int) -> None:
        """Forget a sequence."""

    def set_threads(self, threads: int) -> None:
        """Use so many threads from the next batch on."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def candidates(cores: int) -> list[int]:
    """Numbers of threads worth trying, the default first: all cores but one, then halves of that."""
    most = max(1, cores - 1)
    return list(dict.fromkeys(max(1, most >> halvings) for halvings in range(most.bit_length())))


def choose(model: Model, sequence: int, tries: Sequence[int], clock: Callable[[], float]) -> int:
    """Set the number of threads with which a batch of a few tokens is fastest, and return it. `sequence`
    must be free, with room for some cells. Raises what `decode` raises."""

    def measure(threads: int, times: int) -> float:
        model.set_threads(threads)
        fastest = inf
        for _ in range(times):
            start = clock()
            model.decode([Row(sequence, 0, range(_TALKS), True)])
            fastest = min(fastest, clock() - start)
            model.drop(sequence)
        return fastest

    began = clock()
    taken: dict[int, float] = {}
    for threads in tries:
        taken[threads] = measure(threads, 1)
        if clock() - began > _SECONDS and taken[threads] > min(taken.values()):
            break
    if (clock() - began) * (1 + _TRIES) <= _SECONDS:
        # Quick steps are the ones that a hiccup spoils.
        taken = {threads: min(seconds, measure(threads, _TRIES)) for threads, seconds in taken.items()}
    best = min(taken, key=lambda threads: taken[threads])
    model.set_threads(best)
    return best


class Pace:
    """Watches the steps: `note` each one, `room` says how large one may be, and `disturbed` when to choose
    anew. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._fastest: dict[int, float] = {}
        self._slow_since: float | None = None
        self._share = 0.0
        self._per_token = inf
        self._chosen = clock()

    def note(self, tokens: int, seconds: float) -> None:
        """A step of so many tokens took so long."""
        if tokens >= _STRETCH:
            took = max(seconds / tokens, _TICK)
            self._per_token = took if self._per_token == inf else 0.8 * self._per_token + 0.2 * took
        size = tokens.bit_length()
        # Forgotten slowly, since a fuller cache makes every step a little slower.
        fastest = self._fastest[size] = min(seconds, self._fastest.get(size, seconds) * 1.0002)
        self._share += 0.02 * ((seconds > _SLOW * fastest) - self._share)
        if self._share < 0.5:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = self._clock()

    def room(self, seconds: float) -> int:
        """How many tokens of prompts are read in so long a time; 0 before any were."""
        return int(seconds / self._per_token)

    def disturbed(self, reduced: bool) -> bool:
        """Whether steps have been slow for seconds; and now and then, where the number of threads is
        `reduced`, for the neighbour may be gone."""
        now = self._clock()
        slow = self._slow_since is not None and now - self._slow_since > _SLOW_SECONDS
        if now - self._chosen < _PAUSE_SECONDS or not (slow or reduced):
            return False
        self._chosen = now
        self._slow_since, self._share = None, 0.0
        return True
