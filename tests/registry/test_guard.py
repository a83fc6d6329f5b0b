from __future__ import annotations

import random
from dataclasses import replace

import pytest
from scipy.stats import binom

from agent_runtime.registry.guard import FORGIVEN_AFTER, UNLIKELY, FirstWords, Limits, Tally, complaint

LIMITS = Limits(turns=200, margin=0.05, slower=2.0, crashes=2)


def tally(
    turns: int,
    *,
    faulty: float = 0,
    failing: float = 0,
    endless: float = 0,
    ms: float = 200,
    seed: int = 1,
) -> Tally:
    rng = random.Random(seed)
    found = Tally()
    for _ in range(turns):
        found.note(
            fault=rng.random() < faulty,
            failure=rng.random() < failing,
            endless=rng.random() < endless,
            first_words=FirstWords(rng.gauss(ms, ms / 5), 1),
        )
    return found


def hesitant(rng: random.Random, turns: int, hiccups: float, times: float = 1) -> Tally:
    """First words that mostly take a quarter of a second, and in this share of the turns one and a half."""
    found = Tally()
    for _ in range(turns):
        ms = 1500 if rng.random() < hiccups else rng.gauss(250, 30)
        found.note(fault=False, failure=False, endless=False, first_words=FirstWords(times * ms, 1))
    return found


def shared(rng: random.Random, turns: int, crowd: int, times: float = 1) -> Tally:
    """First words of an engine that so many share on average, each of whom costs the others a tenth of a
    second."""
    found = Tally()
    for _ in range(turns):
        here = max(1, round(rng.gauss(crowd, crowd / 3)))
        took = FirstWords(times * rng.gauss(100 * here, 30), here)
        found.note(fault=False, failure=False, endless=False, first_words=took)
    return found


def turns_until_complaint(before: Tally, **bad: float) -> int:
    for turns in range(1, 201):
        if complaint(tally(turns, **bad), before, LIMITS):  # type: ignore[arg-type]
            return turns
    return 0


def test_a_version_that_does_everything_wrong_is_caught_within_five_turns() -> None:
    assert 1 < turns_until_complaint(tally(300), faulty=1) <= 5
    assert 1 < turns_until_complaint(tally(300), failing=1) <= 5
    assert 1 < turns_until_complaint(Tally(), faulty=1) <= 5


def test_one_that_is_often_wrong_takes_a_little_longer() -> None:
    assert 0 < turns_until_complaint(tally(300), faulty=0.3) <= 80


def test_one_that_is_as_good_as_its_predecessor_is_left_alone() -> None:
    before = tally(300, faulty=0.04, endless=0.04, seed=99)
    complaints = 0
    for seed in range(200):
        rng = random.Random(seed)
        found = Tally()
        for _ in range(200):
            fault, endless = rng.random() < 0.04, rng.random() < 0.04
            took = FirstWords(rng.gauss(200, 40), 1)
            found.note(fault=fault, failure=False, endless=endless, first_words=took)
            if complaint(found, before, LIMITS):
                complaints += 1
                break
    assert complaints <= 2


def test_one_that_does_not_stop_is_caught_where_its_predecessor_did() -> None:
    assert 1 < turns_until_complaint(tally(300), endless=1) <= 5
    assert not turns_until_complaint(tally(300, endless=1), endless=1), "personas of few words"
    assert not turns_until_complaint(Tally(), endless=1), "nothing to compare with"


def test_a_few_bad_turns_of_a_predecessor_make_nothing_usual() -> None:
    assert 1 < turns_until_complaint(tally(1, failing=1), failing=1) <= 5
    assert 1 < turns_until_complaint(tally(1, faulty=1), faulty=1) <= 5


def test_slow_first_words_are_a_complaint_when_there_are_enough_to_tell() -> None:
    before = tally(300)
    assert complaint(tally(29, ms=2000), before, LIMITS) is None
    why = complaint(tally(30, ms=2000), before, LIMITS)
    assert why
    assert "first words" in why
    assert complaint(tally(100, ms=380), before, LIMITS) is None, "slower, but not by much"
    assert complaint(tally(100, ms=2000), Tally(), LIMITS) is None, "nothing to compare with"


@pytest.mark.parametrize("hiccups", [0.03, 0.06])
def test_now_and_then_a_slow_turn_on_either_side_is_no_complaint(hiccups: float) -> None:
    complaints = 0
    for seed in range(200):
        rng = random.Random(seed)
        before, found = (hesitant(rng, 200, hiccups) for _ in range(2))
        watched = Tally()
        for took in found.first_words[: LIMITS.turns - 1]:
            watched.note(fault=False, failure=False, endless=False, first_words=took)
            if complaint(watched, before, LIMITS):
                complaints += 1
                break
    assert complaints <= 2


def test_one_that_is_three_times_as_slow_is_caught_though_turns_differ_widely() -> None:
    before = hesitant(random.Random(1), 200, 0.03)
    assert complaint(hesitant(random.Random(2), 30, 0.03, times=3), before, LIMITS)


@pytest.mark.parametrize(("morning", "evening"), [(1, 16), (4, 16), (16, 16), (16, 1)])
def test_a_busy_evening_is_not_held_against_a_version_whose_predecessor_had_a_quiet_morning(
    morning: int, evening: int
) -> None:
    rng = random.Random(7)
    for _ in range(50):
        before, after = shared(rng, 200, morning), shared(rng, 150, evening)
        assert complaint(after, before, LIMITS) is None


def test_one_that_is_slow_is_caught_in_the_morning_and_in_the_evening() -> None:
    rng = random.Random(7)
    assert complaint(shared(rng, 60, 1, times=9), shared(rng, 200, 1), LIMITS)
    assert complaint(shared(rng, 60, 16, times=3), shared(rng, 200, 16), LIMITS)
    assert complaint(shared(rng, 60, 16, times=3), shared(rng, 200, 4), LIMITS), (
        "more than its predecessor had"
    )
    both = shared(rng, 100, 1)
    both.first_words += shared(rng, 100, 16).first_words
    assert complaint(shared(rng, 60, 16, times=3), both, LIMITS)


@pytest.mark.parametrize(
    ("answered", "late", "borne"),
    [
        (0, 0, False),
        (FORGIVEN_AFTER - 1, 0, False),
        (FORGIVEN_AFTER - 1, 5, False),
        (FORGIVEN_AFTER, 0, True),
    ],
)
def test_two_crashes_are_too_many_unless_enough_was_answered_between_them(
    answered: int, late: int, borne: bool
) -> None:
    found = tally(2 * FORGIVEN_AFTER)
    found.crash()
    assert complaint(found, Tally(), LIMITS) is None
    for failure in [False] * answered + [True] * late:
        found.note(fault=False, failure=failure, endless=False, first_words=None)
    found.crash()
    why = complaint(found, Tally(), LIMITS)
    assert why is None if borne else why and "2 times in a row" in why


def test_after_its_first_turns_a_version_is_no_longer_watched() -> None:
    assert complaint(tally(201, faulty=1), tally(300), LIMITS) is None


@pytest.mark.parametrize(
    ("turns", "failures"),
    [(40, 9), (40, 10), (1000, 77), (1000, 79), (5000, 309), (5000, 311), (100_000, 5_250), (100_000, 5_300)],
)
def test_however_long_a_version_is_watched_accidents_are_told_by_the_binomial_tail(
    turns: int, failures: int
) -> None:
    limits = replace(LIMITS, turns=200_000)
    found = complaint(Tally(turns=turns, failures=failures), Tally(turns=200), limits)
    assert (found is not None) == (binom.sf(failures - 1, turns, LIMITS.margin) < UNLIKELY)
