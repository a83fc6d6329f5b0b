"""Turns begin, and how many did lately comes out: what the engine has to do, whoever answers and how soon."""

from __future__ import annotations

from collections import deque

from agent_runtime.clock import Clock

WINDOW_SECONDS = 10.0


class Arrivals:
    """Counts turns over the last `WINDOW_SECONDS`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def add(self) -> None:
        """A turn begins now."""
        now = self._clock.monotonic()
        self._times.append(now)
        while self._times[0] <= now - WINDOW_SECONDS:
            self._times.popleft()

    def count(self) -> int:
        """How many began lately."""
        oldest = self._clock.monotonic() - WINDOW_SECONDS
        return sum(time > oldest for time in self._times)
