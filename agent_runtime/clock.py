"""The two clocks of the runtime, passed in wherever time matters: one for durations, one for dates.

Durations and deadlines never use the wall clock, which administrators and NTP move about.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What code that needs time asks for."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump either way."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()
