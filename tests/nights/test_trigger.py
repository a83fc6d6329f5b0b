"""When nights are, with clocks that are changed by law, by hand and by accident."""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent_runtime.nights.trigger import Nightly

BERLIN = ZoneInfo("Europe/Berlin")


def nights(trigger: Nightly, start: datetime, count: int) -> list[datetime]:
    """So many nights, met by a clock that runs as it should."""
    found: list[datetime] = []
    now, previous = start, None
    for _ in range(count):
        previous = trigger.get_next_fire_time(previous, now)
        now = previous + timedelta(minutes=1)
        found.append(previous)
    return found


@pytest.mark.parametrize("day", [datetime(2026, 3, 28), datetime(2026, 10, 24)])
def test_one_night_a_day_when_summer_time_begins_and_ends(day: datetime) -> None:
    """02:30 is missing on one of those days, and comes twice on the other."""
    start = day.replace(hour=12, tzinfo=BERLIN)
    found = nights(Nightly("02:30", BERLIN), start, 3)
    apart = [later.astimezone(UTC) - earlier.astimezone(UTC) for earlier, later in itertools.pairwise(found)]
    assert all(timedelta(hours=22) < distance < timedelta(hours=26) for distance in apart)
    assert found[0].astimezone(UTC) - start.astimezone(UTC) < timedelta(hours=16)


def test_the_time_of_day_is_that_of_the_zone() -> None:
    found = Nightly("04:30", BERLIN).get_next_fire_time(None, datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert found.astimezone(UTC) == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


def test_a_clock_set_back_brings_no_second_night() -> None:
    trigger = Nightly("04:30", BERLIN)
    night = datetime(2026, 11, 21, 4, 30, tzinfo=BERLIN)
    found = trigger.get_next_fire_time(night, night - timedelta(hours=1))
    assert found == datetime(2026, 11, 22, 4, 30, tzinfo=BERLIN)


def test_a_clock_that_was_a_week_ahead_does_not_keep_nights_away() -> None:
    trigger = Nightly("04:30", BERLIN)
    now = datetime(2026, 11, 21, 12, tzinfo=BERLIN)
    found = trigger.get_next_fire_time(now + timedelta(days=7), now)
    assert found == datetime(2026, 11, 22, 4, 30, tzinfo=BERLIN)


def test_it_is_stored_and_found_again() -> None:
    trigger = Nightly("04:30", BERLIN)
    again = pickle.loads(pickle.dumps(trigger))
    assert again.at == trigger.at
    assert again.at != Nightly("04:31", BERLIN).at
    assert again.at != Nightly("04:30", ZoneInfo("UTC")).at
