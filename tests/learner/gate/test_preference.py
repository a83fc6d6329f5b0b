"""Whom the raters agree with more, on rows that are easily told, and on simulated ones."""

from __future__ import annotations

import random

import msgspec
import pytest

from learner.gate.evidence import Judged
from learner.gate.preference import influence, measure, movement, value, without
from tests.support.simulated import judged


def row(rater: str, good: bool, moved: float, weight: float = 1.0) -> Judged:
    return Judged(f"{rater}{good}{moved}", "thumb", rater, weight, 10, -50.0, -50.0 + 10 * moved, good=good)


def test_good_replies_made_likelier_than_bad_ones_are_won() -> None:
    rows = [row("ann", True, 0.5), row("bob", True, 0.4), row("ann", False, -0.2), row("bob", False, -0.1)]
    assert measure(rows).share == 1
    assert measure([msgspec.structs.replace(each, good=not each.good) for each in rows]).share == 0


@pytest.mark.parametrize("drift", [-3.0, 0.0, 3.0])
def test_a_drift_of_all_replies_wins_nothing(drift: float) -> None:
    rng = random.Random(1)
    rows = judged(rng, 200, 0.0, drift=drift)
    found = measure(rows)
    assert 0.46 < found.share < 0.54
    assert found.low < 0.5 < found.high


def test_only_good_thumbs_say_nothing() -> None:
    found = measure([row("ann", True, 0.5), row("bob", True, 0.1)])
    assert not found.decided
    assert found.p == 1


def test_a_pair_needs_no_other_thumb() -> None:
    pair = Judged("p", "pair", "ann", 1.0, 10, -50.0, -45.0, True, 20, -80.0, -90.0)
    assert movement(pair) == pytest.approx(0.5 + 0.5)
    assert measure([pair]).share == 1
    mixed = measure([pair, row("bob", True, -1.0), row("bob", False, 1.0)])
    assert mixed.share == pytest.approx(1 / 3)
    assert mixed.raters == 2


def test_the_player_is_the_unit_of_evidence() -> None:
    """The same judgements by one player and by twenty."""
    rng = random.Random(3)
    many = judged(rng, 30, 0.25)
    one = [msgspec.structs.replace(each, rater="ann") for each in many]
    assert measure(one).share == pytest.approx(measure(many).share)
    assert measure(many).p < 0.01
    assert measure(one).p == 0.5


def test_an_effect_is_measured_as_large_as_it_is() -> None:
    found = measure(judged(random.Random(5), 400, 0.15))
    assert 0.62 < found.share < 0.68
    assert found.low < 0.65 < found.high


def test_influence_adds_up_and_goes_when_a_rater_goes() -> None:
    rows = judged(random.Random(6), 30, 0.1)
    parts = influence(rows)
    assert sum(parts.values()) == pytest.approx(measure(rows).share - 0.5)
    assert list(parts.values()) == sorted(parts.values(), reverse=True)
    best = next(iter(parts))
    assert measure(without(rows, [best])).share < measure(rows).share
    assert not influence([])


def test_a_capped_rater_weighs_less() -> None:
    rows = [
        row("ann", True, 0.5, 0.1),
        row("ann", False, -0.5, 0.1),
        row("bob", True, -0.5),
        row("bob", False, 0.4),
    ]
    assert measure(rows).share < 0.2


def test_the_smooth_form_tells_large_steps_from_small_ones() -> None:
    small = [row("ann", True, 0.01), row("ann", False, -0.01)]
    large = [row("ann", True, 0.5), row("ann", False, -0.5)]
    assert 0.5 < value(small) < value(large) < 1
    assert value([]) == 0.5
