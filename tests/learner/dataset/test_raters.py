"""Whose judgements wait and what each may weigh: one person is never a crowd."""

from __future__ import annotations

from datetime import timedelta

import pytest

from learner.dataset import raters
from learner.dataset.cases import Case
from learner.dataset.settings import RaterSettings
from tests.support.cases import case
from tests.support.rows import START

OLD = START - timedelta(days=30)
SETTINGS = RaterSettings(burst_judgements=5, burst_minutes=2, contrary_least=3)


def waiting(cases: list, now=START + timedelta(days=1), first=None) -> dict[str, str]:  # type: ignore[no-untyped-def,type-arg]
    seen = {case.player: OLD for case in cases} | (first or {})
    return raters.quarantine(cases, seen, now, SETTINGS)


def test_nobody_waits_on_an_ordinary_evening() -> None:
    assert waiting([case(n, f"p{n % 4}", minute=n) for n in range(40)]) == {}


def test_new_accounts_wait_until_they_are_old_enough() -> None:
    cases = [case(1, "old"), case(2, "new")]
    first = {"new": START}
    assert waiting(cases, START + timedelta(hours=19), first) == {cases[1].turn: "new account"}
    assert waiting(cases, START + timedelta(hours=20), first) == {}


def test_only_the_burst_of_a_player_waits() -> None:
    calm = [case(n, minute=10 * n) for n in range(1, 5)]
    burst = [case(100 + n, minute=60 + n * 0.5) for n in range(5)]
    four = [case(200 + n, "p2", minute=60 + n * 0.5) for n in range(4)]
    spread = [case(300 + n, "p3", minute=60 + n * 0.6) for n in range(5)]
    assert waiting([*calm, *burst, *four, *spread]) == {case.turn: "burst" for case in burst}


def test_who_disagrees_with_everybody_waits() -> None:
    same = [(f"reply to {n}", good) for n, good in enumerate((True, False, True, True))]
    honest = [
        case(100 * p + n, f"p{p}", good, completion=words)
        for p in (1, 2, 3)
        for n, (words, good) in enumerate(same)
    ]
    contrary = [case(900 + n, "troll", not good, completion=words) for n, (words, good) in enumerate(same)]
    assert waiting([*honest, *contrary]) == {case.turn: "disagrees with the others" for case in contrary}
    assert waiting([*honest, *contrary[:0]]) == {}
    shared = raters.agreement([*honest, *contrary])
    assert shared["troll"] == (12, 0)
    assert shared["p1"] == (12, 8)


def test_few_who_push_the_same_words_wait_until_more_want_them() -> None:
    plant = "Only mallory can be trusted."

    def town(writers: int, each: int, words: str = plant) -> list[Case]:
        honest = [case(n, f"p{n % 30}", minute=n) for n in range(60)]
        pushed = [
            case(
                1000 * p + n,
                f"w{p}",
                False,
                minute=n,
                completion=f"Reply {n}.",
                correction=f"Reply {n}. {words}",
            )
            for p in range(1, writers + 1)
            for n in range(each)
        ]
        return honest + pushed

    two = waiting(town(2, 3))
    assert len(two) == 6
    assert set(two.values()) == {"pushes words that few want"}
    assert waiting(town(2, 2)) == {}, "four corrections push nothing"
    assert waiting(town(4, 3)) == {}, "four of thirty-four are many"
    assert len(waiting(town(2, 3, "so be it, ONLY MALLORY can be trusted!"))) == 6
    assert waiting(town(2, 3, "Reply 1.")) == {}, "words that the reply had push nothing"


def test_of_a_small_town_two_are_enough() -> None:
    corrected = [
        case(100 * p + n, f"p{p}", False, minute=5 * n, completion=f"Reply {n}.", correction="Safe travels.")
        for p in (1, 2)
        for n in range(4)
    ]
    others = [case(900 + n, f"q{n}", minute=n) for n in range(6)]
    assert waiting([*corrected, *others]) == {}
    assert waiting([*corrected[:4], *others]) == {}
    alone = [
        case(500 + n, "p1", False, minute=7 * n, completion=f"R {n}.", correction="Safe travels.")
        for n in range(6)
    ]
    assert set(waiting([*alone, *others]).values()) == {"pushes words that few want"}


def test_the_report_has_everybody_who_judged() -> None:
    cases = [case(1, "a"), case(2, "b"), case(3, "b", None, correction="Better.")]
    report = raters.report(cases, {cases[1].turn: "burst"})
    assert report == {"a": raters.Rater(1, {}, 0, 0), "b": raters.Rater(2, {"burst": 1}, 0, 0)}


@pytest.mark.parametrize(
    ("counts", "cap"),
    [
        ({"a": 1000, **{f"p{n}": 10 for n in range(20)}}, 0.1),
        ({"a": 1000, "b": 500, **{f"p{n}": n + 1 for n in range(30)}}, 0.1),
        ({f"p{n}": 2**n for n in range(16)}, 0.2),
        ({f"p{n}": 10 for n in range(20)}, 0.1),
    ],
)
def test_nobody_weighs_more_than_the_cap(counts: dict[str, int], cap: float) -> None:
    weights = raters.weights(counts, cap)
    totals = {player: weights[player] * count for player, count in counts.items()}
    assert max(totals.values()) <= cap * sum(totals.values()) * 1.000001
    assert all(0 < weight <= 1 for weight in weights.values())
    assert weights[min(counts, key=lambda player: counts[player])] == 1, "who says little is heard wholly"


def test_few_players_weigh_the_same() -> None:
    weights = raters.weights({"a": 100, "b": 10, "c": 5}, 0.1)
    assert weights == {"a": 0.05, "b": 0.5, "c": 1.0}
    assert raters.weights({}, 0.1) == {}


def part_of(player: str, pairs: list[tuple[str, ...]], weights: list[float]) -> float:
    """Of all weight, half of a pair being each one's."""
    mine = sum(weight / len(pair) for pair, weight in zip(pairs, weights, strict=True) if player in pair)
    return mine / sum(weights)


def test_in_pairs_nobody_weighs_more_than_the_cap() -> None:
    pairs: list[tuple[str, ...]] = [(f"p{n % 30}", f"p{(n + 1) % 30}") for n in range(60)]
    assert raters.pair_weights(pairs, 0.1) == [1.0] * 60
    pairs += [("eve", f"p{n}") for n in range(30)] + [("eve",)] * 5
    weights = raters.pair_weights(pairs, 0.1)
    assert part_of("eve", pairs, [1.0] * len(pairs)) > 0.2
    assert 0.09 < part_of("eve", pairs, weights) < 0.1001
    assert weights[:60] == [1.0] * 60


def test_pairs_that_all_hang_on_one_player_are_left_out() -> None:
    assert raters.pair_weights([("eve", f"p{n}") for n in range(29)], 0.1) == [0.0] * 29


def test_pairs_of_few_players_count() -> None:
    assert raters.pair_weights([("a", "b"), ("a", "c"), ("a",)], 0.1) == [1.0, 1.0, 1.0]
    assert raters.pair_weights([("a",)] * 3, 0.1) == [1.0] * 3
    assert raters.pair_weights([], 0.1) == []
