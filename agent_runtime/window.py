"""How often something happened lately: moments come in, their number within a sliding window goes out."""

from __future__ import annotations

from collections import deque


class Window:
    """Counts what happened within the last `seconds`. Moments are of one monotonic clock, in order."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moments: deque[float] = deque()

    def add(self, now: float) -> None:
        """It happens at `now`."""
        self._moments.append(now)
        self._forget(now)

    def count(self, now: float) -> int:
        """How often it happened within the seconds that end at `now`."""
        self._forget(now)
        return len(self._moments)

    def _forget(self, now: float) -> None:
        while self._moments and self._moments[0] <= now - self._seconds:
            self._moments.popleft()
