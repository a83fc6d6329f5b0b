"""A player is in one part only, the newest are tested on, and small servers still get three parts."""

from __future__ import annotations

import random

from learner.dataset.cases import Case
from learner.dataset.split import Split, split
from tests.support.cases import case


def players(cases: list[Case]) -> set[str]:
    return {case.player for case in cases}


def town(sizes: dict[str, int], start: dict[str, int]) -> list[Case]:
    numbers = iter(range(10_000))
    return [
        case(next(numbers), player, minute=start[player] + n)
        for player, size in sizes.items()
        for n in range(size)
    ]


def check(cases: list[Case], made: Split) -> None:
    parts = [made.train, made.validation, made.test]
    assert sum(map(len, parts)) == len(cases)
    assert all(parts)
    assert sum(len(players(part)) for part in parts) == len(players(cases)), "nobody is in two parts"


def test_each_player_is_in_one_part_and_the_newest_are_tested() -> None:
    names = [f"p{n:02}" for n in range(20)]
    cases = town(dict.fromkeys(names, 10), {name: 1000 * n for n, name in enumerate(names)})
    random.Random(3).shuffle(cases)
    made = split(cases, 0.1, 0.1)
    check(cases, made)
    assert players(made.test) == {"p18", "p19"}
    assert players(made.validation) == {"p16", "p17"}
    assert made.train == [case for case in cases if case.player < "p16"], "the order stays"


def test_who_talks_most_is_trained_on_even_when_newest() -> None:
    sizes = {"chatty": 100, **{f"p{n}": 10 for n in range(10)}}
    cases = town(sizes, {"chatty": 9000, **{f"p{n}": 100 * n for n in range(10)}})
    made = split(cases, 0.1, 0.1)
    check(cases, made)
    assert "chatty" in players(made.train)
    assert len(made.test) == 20


def test_enough_players_are_tested_on_to_prove_something() -> None:
    names = [f"p{n:02}" for n in range(30)]
    cases = town(dict.fromkeys(names, 10), {name: 1000 * n for n, name in enumerate(names)})
    made = split(cases, 0.1, 0.1, test_raters=10)
    check(cases, made)
    assert players(made.test) == set(names[-10:])
    few = [case for case in cases if case.player < "p12"]
    assert len(players(split(few, 0.1, 0.1, test_raters=10).test)) == 4, "a third of twelve, no more"


def test_three_players_make_three_parts() -> None:
    for sizes in ({"a": 50, "b": 50, "c": 50}, {"a": 100, "b": 1, "c": 1}, {"a": 30, "b": 60, "c": 90}):
        cases = town(sizes, {"a": 0, "b": 100, "c": 200})
        check(cases, split(cases, 0.1, 0.1))
