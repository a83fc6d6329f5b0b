"""A clock that stands still until a test moves it."""

from __future__ import annotations


class ManualClock:
    """Implements `agent_runtime.clock.Clock`; `advance` moves both clocks, `jump` only the wall clock."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += seconds

    def jump(self, seconds: float) -> None:
        self._wall += seconds
