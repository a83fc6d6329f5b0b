"""Counts and differences come in; exact or resampled probabilities and intervals go out.

Pure and deterministic: what is resampled is drawn from a fixed seed, so that a verdict can be computed again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, norm, rankdata

FLIPS = 10_000
MOST_FLIPS = 5_000_000
RESAMPLES = 2_000
SEED = 20_261_120
_ALL_FLIPS = 13
_FLIPS_BELOW = 20  # draws of at least the seen sum that are expected at α, where α asks for more of them
_EXACT_PAIRS = 150
_NUISANCE = 41
_MOST_NATS = 50.0  # per token: beyond it no number is told


def mcnemar(losses: int, gains: int) -> float:
    """The exact one-sided probability of so many losses or more among the discordant pairs, if either
    direction were as likely (McNemar's test in its binomial form)."""
    return float(binom.sf(losses - 1, losses + gains, 0.5)) if losses else 1.0


def non_inferior(losses: int, gains: int, pairs: int, margin: float) -> float:
    """The one-sided probability of a result as favourable as this one if the true share of losses
    exceeded that of gains by `margin` or more; small means: shown to be less than that worse.

    Up to 150 pairs exact and unconditional: outcomes are ordered by Tango's score (Tango 1998, Statistics in
    Medicine 17, 891), and the probability is the largest over the unknown share of gains (Hsueh, Liu and Chen
    2001, Biometrics 57, 478). Beyond that the score itself."""
    if pairs > _EXACT_PAIRS:
        return float(norm.cdf(_tango(np.array([losses]), np.array([gains]), pairs, margin)[0]))
    return _exact_non_inferior(losses, gains, pairs, margin)


@lru_cache(maxsize=4096)
def _exact_non_inferior(losses: int, gains: int, pairs: int, margin: float) -> float:
    lost, gained, ways = _outcomes(pairs)
    seen = _tango(np.array([losses]), np.array([gains]), pairs, margin)[0]
    as_good = _tango(lost, gained, pairs, margin) <= seen + 1e-9
    lost, gained, ways = lost[as_good], gained[as_good], ways[as_good]
    largest = 0.0
    for share in np.linspace(0, (1 - margin) / 2, _NUISANCE):
        rest = max(1 - 2 * share - margin, 0.0)
        logarithm = ways + _power(share + margin, lost) + _power(share, gained)
        logarithm += _power(rest, pairs - lost - gained)
        largest = max(largest, float(np.exp(logarithm).sum()))
    return min(1.0, largest)


def _tango(
    losses: NDArray[np.int64], gains: NDArray[np.int64], pairs: int, margin: float
) -> NDArray[np.float64]:
    a = 2.0 * pairs
    b = margin * (2 * pairs - losses + gains) - losses - gains
    c = -gains * margin * (1 - margin)
    share = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
    spread = np.sqrt(pairs * (2 * share + margin * (1 - margin)))
    return np.asarray((losses - gains - pairs * margin) / np.maximum(spread, 1e-12))


@lru_cache(maxsize=32)
def _outcomes(pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Every number of losses and gains, and the logarithm of the ways to come to it."""
    losses, gains = (part.ravel() for part in np.indices((pairs + 1, pairs + 1)))
    possible = losses + gains <= pairs
    losses, gains = losses[possible], gains[possible]
    factorials = np.array([math.lgamma(number + 1) for number in range(pairs + 1)])
    ways = factorials[pairs] - factorials[losses] - factorials[gains] - factorials[pairs - losses - gains]
    return losses, gains, ways


def _power(share: float, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """The logarithm of share ** count, with 0 ** 0 as 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count == 0, 0.0, count * np.log(share))


def not_worse(differences: Sequence[float], margin: float) -> float:
    """The one-sided probability of a mean difference like this one (challenger minus champion, each from −1
    to 1) if the true one were `margin` or more below 0.

    One gain and one loss are added to the variance, so that no difference at all is no proof."""
    count = len(differences)
    if not count:
        return 1.0
    values = np.asarray(differences, dtype=np.float64)
    mean = values.mean()
    variance = (float((values * values).sum()) + 2) / (count + 2) - mean * mean
    return float(norm.sf((mean + margin) / math.sqrt(max(variance, 1e-12) / count)))


def holm(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Each probability adjusted for there being several (Holm 1979): one at or below α may be called a
    finding, and the chance of any false finding is at most α."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(probabilities, key=lambda name: probabilities[name])):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in probabilities}


def sign_flip(values: Sequence[float], flips: int = FLIPS) -> float:
    """The one-sided probability of a sum as large as this one if each value were as likely to have the
    other sign. Exact up to 13 values, else from `flips` draws of signs, a multiple of 1,000 (counting the
    real one). More draws begin with the same ones."""
    moving = np.asarray([value for value in values if value], dtype=np.float64)
    if not len(moving):
        return 1.0
    seen = moving.sum() - 1e-12
    if len(moving) <= _ALL_FLIPS:
        every = np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving)) & 1
        return float(((1 - 2 * every) @ moving >= seen).mean())
    rng = np.random.default_rng(SEED)
    above = 0
    for _ in range(flips // 1000):
        signs = 1 - 2 * rng.integers(0, 2, (1000, len(moving)), dtype=np.int8)
        above += int((signs @ moving >= seen).sum())
    return (above + 1) / (flips + 1)


def smallest_flip(values: int, flips: int = FLIPS) -> float:
    """The smallest probability that `sign_flip` can give for so many values."""
    return max(0.5**values, 1 / (flips + 1) if values > _ALL_FLIPS else 0.0)


def flips_for(alpha: float) -> int:
    """How many draws `sign_flip` takes to tell whether it comes to `alpha`: 10,000, more where those cannot,
    and never more than five million."""
    if alpha >= 1 / (FLIPS + 1):
        return FLIPS
    return min(MOST_FLIPS, 1000 * math.ceil(_FLIPS_BELOW / alpha / 1000))


def fewest_values(alpha: float) -> int:
    """The least number of values from which `sign_flip` can come to `alpha`."""
    return math.ceil(math.log2(1 / alpha))


def out_of_reach(alpha: float) -> bool:
    """Whether no number of values comes to `alpha`, with all the draws that there may be."""
    return alpha < 1 / (MOST_FLIPS + 1)


def resamples(clusters: int, seed: int = SEED) -> NDArray[np.int64]:
    """How often each cluster is drawn, in each of 2,000 resamples (resamples, clusters)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), RESAMPLES)


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of resampled figures; those that could not be computed (NaN) are left out."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return -math.inf, math.inf
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def share_interval(good: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z = float(norm.ppf(0.975))
    share = good / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def perplexity_ratio(lost: float, tokens: int) -> float:
    """By what perplexity grew, when texts of so many tokens lost `lost` nats of log-probability."""
    return math.exp(min(lost / max(1, tokens), _MOST_NATS))


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The share of pairs of a good and a bad one in which the good one scores higher; ties count half.
    NaN when there is only one kind."""
    values, good = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=bool)
    if good.all() or not good.any():
        return math.nan
    ranks = rankdata(values)
    first, count = int(good.sum()), len(values)
    return float((ranks[good].sum() - first * (first + 1) / 2) / (first * (count - first)))
