"""Replies to the golden set come in, champion's and challenger's; what was gained and lost, slice by slice,
goes out with exact probabilities. The case is the unit: draws of one case are averaged first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct
from scipy.stats import norm

from agent_runtime.errors import EvidenceError
from learner.gate.evidence import SIDES, Answer, Side
from learner.gate.statistics import holm, mcnemar, non_inferior, not_worse

MALFORMED = ("malformed action", "shows the machinery")
UNASKED = "without being asked"


class SliceResult(Struct, frozen=True):
    """One slice. Shares are of good replies; `losses` and `gains` are cases where the challenger was worse or
    better over all draws. `p_worse` is McNemar's, adjusted after Holm for all slices; `p_not_worse` small
    means: shown to be less than the margin worse. `low` and `high` bound the difference at 95 %."""

    name: str
    cases: int
    champion: float
    challenger: float
    losses: int
    gains: int
    low: float
    high: float
    p_worse: float
    p_not_worse: float

    @property
    def difference(self) -> float:
        return self.challenger - self.champion


class Actions(Struct, frozen=True):
    """Shares of one side's replies with an action that cannot be read, and with one that nobody asked for."""

    malformed: float
    unasked: float


def compare(answers: Sequence[Answer], margin: float) -> list[SliceResult]:
    """Every slice, in the order of the rows. Raises `EvidenceError` where a reply lacks its counterpart."""
    by_slice: dict[str, list[float]] = defaultdict(list)
    goods: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, champion, challenger in _cases(answers):
        by_slice[name].append(challenger - champion)
        goods[name].append((champion, challenger))
    raw = {
        name: mcnemar(sum(value < 0 for value in values), sum(value > 0 for value in values))
        for name, values in by_slice.items()
    }
    adjusted = holm(raw)
    return [_result(name, values, goods[name], adjusted[name], margin) for name, values in by_slice.items()]


def worse(compared: Iterable[SliceResult], alpha: float) -> list[SliceResult]:
    """Those that lost by more than chance at `alpha`."""
    return [part for part in compared if part.p_worse <= alpha and part.difference < 0]


def pooled(answers: Sequence[Answer], margin: float) -> tuple[float, float]:
    """The mean difference over slices, each weighing the same, and the probability of one as favourable if
    the challenger were worse by the margin."""
    by_slice: dict[str, list[float]] = defaultdict(list)
    for name, champion, challenger in _cases(answers):
        by_slice[name].append(challenger - champion)
    if not by_slice:
        return 0.0, 1.0
    count = sum(map(len, by_slice.values()))
    weighed = [
        value * count / (len(by_slice) * len(values)) for values in by_slice.values() for value in values
    ]
    return sum(weighed) / count, not_worse(weighed, margin)


def actions(answers: Iterable[Answer], side: Side) -> Actions:
    """What one side did with actions, over all replies."""
    rows = [answer for answer in answers if answer.side == side]
    if not rows:
        return Actions(0.0, 0.0)
    malformed = sum(any(fault.startswith(MALFORMED) for fault in row.faults) for row in rows)
    unasked = sum(any(UNASKED in fault for fault in row.faults) for row in rows)
    return Actions(malformed / len(rows), unasked / len(rows))


def _cases(answers: Sequence[Answer]) -> list[tuple[str, float, float]]:
    """Slice, and the share of good draws of champion and challenger, case by case."""
    draws: dict[tuple[str, str], dict[tuple[Side, int], bool]] = defaultdict(dict)
    for answer in answers:
        draws[answer.slice, answer.case][answer.side, answer.seed] = not answer.faults
    found = []
    for (name, case), drawn in draws.items():
        by_side = [{seed: good for (other, seed), good in drawn.items() if other == side} for side in SIDES]
        champion, challenger = by_side
        if set(champion) != set(challenger):
            raise EvidenceError(f"case {case} has not the same draws of both sides; evaluate again")
        count = len(champion)
        found.append((name, sum(champion.values()) / count, sum(challenger.values()) / count))
    return found


def _result(
    name: str,
    values: Sequence[float],
    goods: Sequence[tuple[float, float]],
    p_worse: float,
    margin: float,
) -> SliceResult:
    count = len(values)
    losses, gains = sum(value < 0 for value in values), sum(value > 0 for value in values)
    mean = sum(values) / count
    variance = (sum(value * value for value in values) + 2) / (count + 2) - mean * mean
    half = float(norm.ppf(0.975)) * math.sqrt(max(variance, 0.0) / count)
    return SliceResult(
        name=name,
        cases=count,
        champion=sum(champion for champion, _ in goods) / count,
        challenger=sum(challenger for _, challenger in goods) / count,
        losses=losses,
        gains=gains,
        low=max(-1.0, mean - half),
        high=min(1.0, mean + half),
        p_worse=p_worse,
        p_not_worse=non_inferior(losses, gains, count, margin),
    )
