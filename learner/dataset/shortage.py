"""What there is too little of comes in; the line that tells an admin goes out: what is missing, and why the
judgements that do not count do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct

from learner.dataset.funnel import Step
from learner.dataset.raters import Reason

Word = TypeVar("Word", bound=str)

_REPLACED = "changed later"
"""Of a rating that was changed the last counts: nothing is lost with the others."""

WAITS: Mapping[Reason, str] = {
    "new account": "of players who were here for less than {hours:g} hours",
    "burst": "given in bursts",
    "disagrees with the others": "of players who disagree with the others",
    "pushes words that few want": "of players who push words that few want",
}


class TooLittle(Struct, frozen=True):
    """No dataset was made: so many more players, and so many more judged turns, are needed. `waiting` counts
    the judgements in quarantine by the reason, `unusable` those that fell away otherwise; judgements of new
    players wait for `new_account_hours`."""

    raters: int
    judgements: int
    waiting: Mapping[Reason, int] = {}
    unusable: Mapping[str, int] = {}
    new_account_hours: float = 0.0

    def __str__(self) -> str:
        needs = []
        if self.raters:
            needs.append(f"{self.raters} more {'rater' if self.raters == 1 else 'raters'}")
        if self.judgements:
            needs.append(f"{self.judgements} more {'rating' if self.judgements == 1 else 'ratings'}")
        parts = [f"need {' and '.join(needs)}"]
        if self.waiting:
            waits = (f"{count} {WAITS[reason]}" for reason, count in _most_first(self.waiting))
            told = ", ".join(waits).format(hours=self.new_account_hours)
            parts.append(f"{sum(self.waiting.values())} wait: {told}")
        if self.unusable:
            fell = (f"{reason} ({count})" for reason, count in _most_first(self.unusable))
            parts.append(f"{sum(self.unusable.values())} cannot be used: {', '.join(fell)}")
        return "; ".join(parts)


def unusable(steps: Iterable[Step]) -> dict[str, int]:
    """How many judgements fell away in these steps, by the reason."""
    found = Counter[str]()
    for step in steps:
        found.update(step.dropped)
    del found[_REPLACED]
    return found


def _most_first(counts: Mapping[Word, int]) -> list[tuple[Word, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
