"""What an admin reads of runs and of the schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.journal.writer import Journal
from agent_runtime.nights.runs import Asked, Outcome, Progress, Run
from learner.job.told import run_lines, schedule_lines
from tests.support import rows

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ASKED = Asked(id="00007-x", began=NOW, why="nightly", key="k", seed=1, deaths=("train",))


def lines(run: Run) -> str:
    return "\n".join(run_lines(run))


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    progress = Progress("00007-x", "train", 0.4, "step 4 of 10", NOW)
    told = lines(Run(tmp_path, ASKED, ("snapshot", "dataset"), None, progress, True))
    assert "run 00007-x, nightly, began 2026-11-20" in told
    assert "killed during train, and taken up again" in told
    assert "train (3 of 7), 40%: step 4 of 10" in told


def test_a_run_that_was_killed(tmp_path: Path) -> None:
    told = lines(Run(tmp_path, ASKED, ("snapshot",), None, None, False))
    assert "killed during dataset; the next run takes it up, and nothing changed meanwhile" in told


def test_a_run_that_ended(tmp_path: Path) -> None:
    outcome = Outcome("canary", "9 held-out raters prefer it; 5 % of the players try it", NOW, version=3)
    told = lines(Run(tmp_path, ASKED, (), outcome, None, False))
    assert "on trial: it answers some players, whose ratings decide (version 3)" in told
    assert "9 held-out raters prefer it" in told


def test_the_schedule_says_what_begins_a_run(tmp_path: Path) -> None:
    (tmp_path / "townsfolk.toml").write_text(
        '[learn]\nat = "04:30"\nzone = "Europe/Berlin"\nafter_raters = 20\n'
    )
    told = "\n".join(schedule_lines(config.load(tmp_path), NOW))
    assert "every night at 04:30 (Europe/Berlin); the next one: 2026-11-2" in told
    assert "also when 20 players rated since the last run whose talk may be trained on (unknown now: " in told
    (tmp_path / "townsfolk.toml").write_text('[learn]\nat = ""\n')
    assert "no time of day is set" in "\n".join(schedule_lines(config.load(tmp_path), NOW))


@pytest.mark.parametrize(("consent", "count"), [("ask", 1), ("opt-out", 2)])
async def test_the_schedule_counts_raters_whose_talk_may_be_trained_on(
    tmp_path: Path, consent: str, count: int
) -> None:
    (tmp_path / "townsfolk.toml").write_text(
        f'[learn]\nafter_raters = 20\n[privacy]\nconsent = "{consent}"\n'
    )
    journal = Journal.open(tmp_path / "journal.duckdb")
    await journal.add(
        rows.turn(1), *(rows.rating(n, 1, player=player * 16) for n, player in enumerate("abc"))
    )
    await journal.add(rows.consent(1, "allow", "a" * 16), rows.consent(2, "withdraw", "b" * 16))
    await journal.close()
    told = "\n".join(schedule_lines(config.load(tmp_path), NOW))
    assert f"rated since the last run whose talk may be trained on (now {count})" in told
