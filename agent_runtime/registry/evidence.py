"""Scores of players on either side come in, anytime-valid evidence goes out: is the challenger liked better,
or worse, than the champion?

Pure. A test by betting (Waudby-Smith and Ramdas, 2024, "Estimating means of bounded random variables by
betting"): the next score of either side, one against the other, are one round, on which a gambler who
believes in a difference bets a fixed part of the wealth. If there is none, wealth passes 1/α with a
probability of at most α, however often and whenever one looks (Ville's inequality).
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct, field

Side = Literal["champion", "challenger"]

BETS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Parts of the wealth that a round bets; the evidence is the mean over these gamblers."""
USUAL_VARIANCE = 0.15
"""Of players' scores, as long as there are too few to tell."""
ENOUGH_TO_TELL = 10
MOST = 600.0
"""The largest logarithm of wealth that is told; beyond it no number is."""


def _nothing() -> list[float]:
    return [0.0] * len(BETS)


class Evidence(Struct):
    """What the scores so far say. A score is 0 to 1; each player's counts once, because the rounds must be
    independent, and one player's scores are not."""

    better: list[float] = field(default_factory=_nothing)
    """The logarithm of each gambler's wealth who believes that the challenger is better."""
    worse: list[float] = field(default_factory=_nothing)
    waiting: dict[Side, list[float]] = field(default_factory=lambda: {"champion": [], "challenger": []})
    """Scores that no round has used yet."""
    counts: dict[Side, int] = field(default_factory=lambda: {"champion": 0, "challenger": 0})
    total: float = 0.0
    squares: float = 0.0

    def add(self, side: Side, score: float) -> None:
        """Take in one player's score."""
        self.counts[side] += 1
        self.total += score
        self.squares += score * score
        self.waiting[side].append(score)
        ours, theirs = self.waiting["challenger"], self.waiting["champion"]
        if ours and theirs:
            difference = ours.pop(0) - theirs.pop(0)
            for number, bet in enumerate(BETS):
                self.better[number] += math.log1p(bet * difference)
                self.worse[number] += math.log1p(-bet * difference)

    @property
    def raters(self) -> int:
        return sum(self.counts.values())

    @property
    def for_better(self) -> float:
        """The wealth of those who believe that the challenger is better; 20 is evidence at 5 %."""
        return _wealth(self.better)

    @property
    def for_worse(self) -> float:
        return _wealth(self.worse)

    def missing(self, difference: float, alpha: float) -> dict[Side, int]:
        """About how many more raters it takes on each side to be sure of a difference between the mean
        scores like this one."""
        if self.for_better >= 1 / alpha:
            return {"champion": 0, "challenger": 0}
        raters = self.raters
        variance = USUAL_VARIANCE
        if raters >= ENOUGH_TO_TELL:
            variance = max(0.02, self.squares / raters - (self.total / raters) ** 2)
        # A round's difference has twice the variance of a score, and a good bet grows the logarithm of wealth
        # by mean² / (2 · variance). Alone that gambler has to make up for all the others in the mean.
        gain = difference**2 / (4 * variance)
        wanted = math.log(len(BETS) / alpha) - max(0.0, *self.better)
        rounds = math.ceil(wanted / gain)
        return {side: max(0, rounds - len(scores)) for side, scores in self.waiting.items()}


def _wealth(logarithms: list[float]) -> float:
    return math.fsum(math.exp(min(logarithm, MOST)) for logarithm in logarithms) / len(logarithms)
