"""Whose ratings count, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent_runtime.journal.consent import decide
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.writer import Journal
from agent_runtime.nights.raters import raters, since_last_run
from learner.job.folder import begin
from tests.support.rows import consent, rating, turn

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(("holds", "count"), [("ask", 1), ("opt-out", 2)])
async def test_a_player_counts_once_and_when_their_last_word_permits_it(
    tmp_path: Path, holds: str, count: int
) -> None:
    """One allowed it, one never decided, one withdrew, one had all erased."""
    journal = Journal.open(tmp_path / "journal.duckdb")
    players = [letter * 16 for letter in "abcda"]
    await journal.add(turn(1), *(rating(n, 1, player=player) for n, player in enumerate(players)))
    await decide(journal, consent(1, "withdraw", "a" * 16), consent(2, "allow", "a" * 16))
    await decide(journal, consent(3, "allow", "c" * 16), consent(4, "withdraw", "c" * 16))
    await decide(journal, consent(5, "erase", "d" * 16))
    rated = await Queries(journal).ratings(since_last_run(tmp_path / "learner"))
    await journal.close()
    assert len(rated) == 5
    assert raters(rated, holds) == count  # type: ignore[arg-type]


def test_ratings_count_from_the_last_run_on_or_from_one_that_left_nothing(tmp_path: Path) -> None:
    assert since_last_run(tmp_path).since is None
    begin(tmp_path, "nightly", "key", 1, dry=False, now=NOW)
    assert since_last_run(tmp_path).since == NOW
    later = NOW + timedelta(hours=1)
    assert since_last_run(tmp_path, later).since == later
    assert since_last_run(tmp_path, NOW - timedelta(hours=1)).since == NOW
