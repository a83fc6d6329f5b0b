"""When the next night is: a time of day in a time zone, the previous night and a clock come in, a moment goes
out.

However the clock is moved, two nights lie half a day or more apart, and a clock that once was days ahead does
not keep the nights away until then.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from apscheduler.triggers.cron import CronTrigger

APART = timedelta(hours=12)
"""Longer than any correction of a clock for summer time or by hand, shorter than a day."""
FAR = timedelta(days=2)
"""No night lies so far ahead."""


class Nightly(CronTrigger):  # type: ignore[misc]
    """APScheduler's cron trigger would fire again when the clock goes back over the moment it fired at."""

    def __init__(self, at: str = "00:00", zone: tzinfo | None = None) -> None:
        hour, _, minute = at.partition(":")
        super().__init__(hour=int(hour), minute=int(minute), timezone=zone)

    @property
    def at(self) -> tuple[str, str]:
        """What it was made from; equal for triggers that fire at the same moments."""
        return str(self), str(self.timezone)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> Any:
        """The first such time of day `APART` from the previous night, or without one the first from now on.

        A missed night is in the past then: whoever asks goes on asking, and runs the last of them only."""
        after = now.astimezone(UTC)
        if previous_fire_time is not None and previous_fire_time.astimezone(UTC) - after < FAR:
            after = previous_fire_time.astimezone(UTC) + APART
        return super().get_next_fire_time(None, after.astimezone(self.timezone))
