"""Exact tests against figures worked out by hand, and resampled ones against what they promise."""

from __future__ import annotations

import math
import random

import pytest
from scipy.stats import binom

from learner.gate.statistics import (
    FLIPS,
    MOST_FLIPS,
    auc,
    fewest_values,
    flips_for,
    holm,
    interval,
    mcnemar,
    non_inferior,
    not_worse,
    out_of_reach,
    resamples,
    share_interval,
    sign_flip,
    smallest_flip,
)


def test_mcnemar_is_a_fair_coin_over_the_pairs_that_changed() -> None:
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 0) == pytest.approx(1 / 32)
    assert mcnemar(9, 1) == pytest.approx(11 / 1024)
    assert mcnemar(1, 9) > 0.99


def test_a_hundred_pairs_without_any_loss_do_not_show_two_points() -> None:
    """(1 − 0.02)^100 = 13 %: the reason why slices are judged together."""
    assert non_inferior(0, 0, 100, 0.02) >= 0.98**100
    assert non_inferior(0, 0, 150, 0.02) < 0.05
    assert non_inferior(0, 0, 100, 0.05) < 0.05


def test_losses_count_against_and_gains_for_the_challenger() -> None:
    for pairs in (60, 400):  # exact, and by the score
        assert non_inferior(3, 0, pairs, 0.1) < non_inferior(8, 0, pairs, 0.1)
        assert non_inferior(8, 6, pairs, 0.1) < non_inferior(8, 0, pairs, 0.1)
        assert non_inferior(round(pairs * 0.2), 0, pairs, 0.1) > 0.9


def test_the_exact_test_keeps_its_level_at_the_margin() -> None:
    """Truth: 8 % lose and 3 % gain, exactly 5 points worse. It is called good enough in at most 5 %."""
    pairs, called = 18, 0.0
    for losses in range(pairs + 1):
        for gains in range(pairs + 1 - losses):
            if non_inferior(losses, gains, pairs, 0.05) <= 0.05:
                chance = binom.pmf(losses, pairs, 0.08) * binom.pmf(gains, pairs - losses, 0.03 / 0.92)
                called += float(chance)
    assert called <= 0.05


def test_no_difference_at_all_in_few_cases_is_no_proof() -> None:
    assert not_worse([0.0] * 50, 0.02) > 0.05
    assert not_worse([0.0] * 1000, 0.02) < 0.001
    assert not_worse([-0.05] * 1000, 0.02) > 0.999
    assert not_worse([], 0.02) == 1


def test_holm_lets_only_strong_findings_stand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({}) == {}


def test_signs_are_flipped_exactly_for_few_values() -> None:
    assert sign_flip([1.0, 2.0, 3.0]) == pytest.approx(1 / 8)
    assert sign_flip([1.0, -1.0]) == pytest.approx(3 / 4)
    assert sign_flip([]) == 1
    assert sign_flip([0.0, 0.0]) == 1
    assert smallest_flip(3) == pytest.approx(1 / 8)
    assert smallest_flip(0) == 1


def test_signs_are_flipped_at_random_for_many_values_the_same_way_each_time() -> None:
    rng = random.Random(2)
    level = [sign_flip([rng.gauss(0, 1) for _ in range(30)]) for _ in range(60)]
    assert 0.3 < sum(level) / len(level) < 0.7
    values = [0.3 + rng.gauss(0, 1) for _ in range(60)]
    assert sign_flip(values) == sign_flip(values) < 0.1


def test_more_signs_are_drawn_where_the_usual_ones_cannot_come_to_alpha() -> None:
    assert flips_for(0.03) == flips_for(1e-3) == FLIPS
    for alpha in (9e-5, 1e-6, 1e-9):
        assert flips_for(alpha) <= MOST_FLIPS
        assert (smallest_flip(60, flips_for(alpha)) > alpha) == out_of_reach(alpha)
    strong = [1.0] * 60
    assert sign_flip(strong) > 9e-5
    assert sign_flip(strong, flips_for(9e-5)) < 9e-5
    rng = random.Random(3)
    shifted = [0.2 + rng.gauss(0, 1) for _ in range(40)]
    assert sign_flip(shifted, flips_for(9e-5)) == pytest.approx(sign_flip(shifted), rel=0.1)


def test_the_fewest_values_that_can_come_to_alpha() -> None:
    for alpha in (0.25, 0.03, 1e-4, 1e-6):
        fewest = fewest_values(alpha)
        flips = flips_for(alpha)
        assert smallest_flip(fewest, flips) <= alpha < smallest_flip(fewest - 1, flips)


def test_intervals_hold_the_truth_most_of_the_time() -> None:
    rng = random.Random(4)
    held = 0
    for _ in range(100):
        values = [rng.gauss(1, 2) for _ in range(40)]
        low, high = interval(resamples(40) @ values / 40)
        held += low <= 1 <= high
    assert held >= 88
    low, high = share_interval(0, 20)
    assert low == 0
    assert 0.1 < high < 0.25
    assert share_interval(0, 0) == (0.0, 1.0)


def test_auc_counts_pairs() -> None:
    assert auc([0.9, 0.8, 0.1], [True, True, False]) == 1
    assert auc([0.5, 0.5], [True, False]) == 0.5
    assert auc([0.1, 0.9], [True, False]) == 0
    assert math.isnan(auc([0.1, 0.9], [True, True]))
