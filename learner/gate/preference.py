"""Held-out judgements come in; goes out whom the raters agree with more, champion or challenger, and how sure
that is. The player is the unit of evidence: all intervals and tests draw whole raters.

A judgement is won by the challenger when it moved its reply's likelihood, per token, to where the rater
wanted it, beside the other judgements: so a challenger that finds everything likelier has won nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from learner.gate.evidence import Judged
from learner.gate.statistics import FLIPS, interval, resamples, sign_flip

_KINDS = 3  # good thumbs, bad thumbs, pairs


class Preference(Struct, frozen=True):
    """The share of held-out judgements that the challenger wins, its 95 % interval, the one-sided
    probability of it without any difference, and what it rests on."""

    share: float
    low: float
    high: float
    p: float
    raters: int
    judgements: int
    good: int
    bad: int

    @property
    def decided(self) -> bool:
        """Whether there was anything to judge by."""
        return self.raters > 0


NOTHING = Preference(0.5, 0.0, 1.0, 1.0, 0, 0, 0, 0)


def movement(row: Judged) -> float:
    """How much likelier the challenger finds the reply than the champion does, in nats per token; of a pair,
    how much more it moved towards the chosen reply than towards the rejected one."""
    moved = (row.challenger - row.champion) / max(1, row.tokens)
    if row.kind == "pair":
        moved -= (row.challenger_rejected - row.champion_rejected) / max(1, row.rejected_tokens)
    return moved


def usable(rows: Sequence[Judged]) -> list[Judged]:
    """Thumbs count only where there are good and bad ones: without both, a wish and a drift look alike."""
    thumbs = {row.good for row in rows if row.kind == "thumb"}
    return [row for row in rows if row.weight > 0 and (row.kind == "pair" or len(thumbs) == 2)]


def measure(rows: Sequence[Judged], flips: int = FLIPS) -> Preference:
    """The preference over all judgements, those of good and of bad replies weighing the same. `flips` are
    the draws of `sign_flip`."""
    rows = usable(rows)
    if not rows:
        return NOTHING
    table, raters = _table(rows)
    total = table.sum(axis=0)
    share = float(_share(total[None, :])[0])
    draws = resamples(len(raters)) @ table
    low, high = interval(_share(draws))
    return Preference(
        share=share,
        low=max(0.0, low),
        high=min(1.0, high),
        p=sign_flip(list(_influence(table).tolist()), flips),
        raters=len(raters),
        judgements=len(rows),
        good=sum(row.good and row.kind == "thumb" for row in rows),
        bad=sum(not row.good for row in rows),
    )


def influence(rows: Sequence[Judged]) -> dict[str, float]:
    """What each rater adds to the share, the largest first."""
    rows = usable(rows)
    if not rows:
        return {}
    table, raters = _table(rows)
    parts = dict(zip(raters, _influence(table).tolist(), strict=True))
    return dict(sorted(parts.items(), key=lambda part: (-part[1], part[0])))


def without(rows: Sequence[Judged], raters: Collection[str]) -> list[Judged]:
    """The judgements of all others."""
    return [row for row in rows if row.rater not in raters]


def value(rows: Sequence[Judged], strength: float = 5.0) -> float:
    """A smooth form of the share, to compare LoRA scales by: a small step in the right direction counts
    less than a large one, 0 to 1, 0.5 for no step. `strength` is per nat per token."""
    rows = usable(rows)
    if not rows:
        return 0.5
    middle = _middle(rows)
    parts: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        sign = 1 if row.good else -1
        moved = movement(row) if row.kind == "pair" else sign * (movement(row) - middle)
        parts[_kind(row)].append((row.weight, 1 / (1 + math.exp(-max(-60.0, min(60.0, strength * moved))))))
    means = [sum(w * v for w, v in part) / sum(w for w, _ in part) for part in parts.values()]
    return sum(means) / len(means)


def _kind(row: Judged) -> int:
    return 2 if row.kind == "pair" else 0 if row.good else 1


def _middle(rows: Sequence[Judged]) -> float:
    """The weighted median movement of judged replies, good and bad ones weighing the same in all."""
    thumbs = [row for row in rows if row.kind == "thumb"]
    if not thumbs:
        return 0.0
    whole = {good: sum(row.weight for row in thumbs if row.good is good) for good in (True, False)}
    moved = np.array([movement(row) for row in thumbs])
    weights = np.array([row.weight / whole[row.good] for row in thumbs])
    order = np.argsort(moved, kind="stable")
    reached = np.cumsum(weights[order])
    first = int(np.searchsorted(reached, 1.0 - 1e-12))
    after = min(first + (abs(reached[first] - 1.0) < 1e-9), len(thumbs) - 1)
    return float((moved[order[first]] + moved[order[after]]) / 2)


def _table(rows: Sequence[Judged]) -> tuple[NDArray[np.float64], list[str]]:
    """For each rater and kind the weight won beyond a half, and the weight (raters, 2 · kinds)."""
    middle = _middle(rows)
    found: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(2 * _KINDS))
    for row in rows:
        kind = _kind(row)
        moved = movement(row) if kind == 2 else movement(row) - middle
        won = 0.5 * float(np.sign(moved)) * (-1 if kind == 1 else 1)
        found[row.rater][[kind, _KINDS + kind]] += row.weight * won, row.weight
    raters = sorted(found)
    return np.stack([found[rater] for rater in raters]), raters


def _parts(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part that each kind has in the share: thumbs by weight, half of it for good ones and half for
    bad ones; pairs by weight."""
    thumbs = weights[..., 0] + weights[..., 1]
    pairs = weights[..., 2]
    half = thumbs / (thumbs + pairs) / 2
    return np.stack([half, half, 1 - 2 * half], axis=-1)


def _share(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    won, weights = sums[:, :_KINDS], sums[:, _KINDS:]
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = _parts(weights)
        # A resample without any bad thumbs has no share; one without pairs, where pairs have no part, has.
        shares = np.where(parts == 0, 0.0, parts * won / weights)
    return np.asarray(0.5 + shares.sum(axis=1))


def _influence(table: NDArray[np.float64]) -> NDArray[np.float64]:
    won, whole = table[:, :_KINDS], table[:, _KINDS:].sum(axis=0)
    parts = _parts(whole)
    per = np.divide(parts, whole, out=np.zeros(_KINDS), where=whole > 0)
    return np.asarray(won @ per)
