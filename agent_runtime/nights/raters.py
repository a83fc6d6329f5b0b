"""Who rated since the last run: what runs left and ratings come in, how many players count goes out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

from agent_runtime.journal.views import MAX_ROWS, Filter, RatingView
from agent_runtime.nights import runs


def since_last_run(learner: Path, started: datetime | None = None) -> Filter:
    """What selects the ratings that no run has seen, nor one that was `started` and left no folder."""
    last = runs.latest(learner)
    began = [moment for moment in (last and last.asked.began, started) if moment]
    return Filter(since=max(began, default=None), limit=MAX_ROWS)


def raters(rated: Iterable[RatingView], consent: Literal["ask", "opt-out"]) -> int:
    """How many players gave them whose ratings a run would see; `consent` is what holds for players who have
    not decided, as in the `Scope` of a snapshot."""
    undecided = "allow" if consent == "opt-out" else "withdraw"
    return len({rating.player for rating in rated if (rating.consent or undecided) == "allow"})
