"""Which run goes on, and which begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_runtime.nights import runs
from agent_runtime.nights.runs import Outcome
from learner.job.folder import begin

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_runs_are_in_order_whatever_the_clock_says(tmp_path: Path) -> None:
    for hours in (0, 0, -5, 3):
        now = NOW + timedelta(hours=hours)
        folder = begin(tmp_path, "by hand", "key", 1, dry=False, now=now)
        folder.end(Outcome("kept", "", now))
    ids = [run.asked.id for run in runs.runs(tmp_path)]
    assert [id[:5] for id in ids] == ["00001", "00002", "00003", "00004"]


def test_a_killed_run_is_taken_up_until_the_next_night_and_not_much_longer(tmp_path: Path) -> None:
    first = begin(tmp_path, "nightly", "key", 1, dry=False, now=NOW)
    again = begin(tmp_path, "by hand", "key", 1, dry=False, now=NOW + timedelta(hours=2))
    assert (again.path, again.asked.why, again.asked.deaths) == (first.path, "nightly", ("snapshot",))
    next_night = begin(tmp_path, "nightly", "key", 1, dry=False, now=NOW + timedelta(hours=24, minutes=1))
    assert next_night.path == first.path


def test_a_killed_run_that_began_too_long_ago_is_given_up(tmp_path: Path) -> None:
    first = begin(tmp_path, "nightly", "key", 1, dry=False, now=NOW)
    later = begin(tmp_path, "by hand", "key", 1, dry=False, now=NOW + timedelta(hours=37))
    assert later.path != first.path
    given_up = runs.runs(tmp_path)[0]
    assert given_up.outcome
    assert given_up.outcome.summary.endswith("it began too long ago")
    assert given_up.asked.deaths == (), "it was not taken up"


def test_a_dry_run_is_another_run(tmp_path: Path) -> None:
    first = begin(tmp_path, "by hand", "key", 1, dry=True, now=NOW)
    assert begin(tmp_path, "by hand", "key", 1, dry=False, now=NOW).path != first.path
