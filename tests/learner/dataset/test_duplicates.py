"""The same reply counts once, and says nothing when players disagree about it."""

from __future__ import annotations

import random

import pytest

from agent_runtime.npc.prompt import Message
from learner.dataset.duplicates import contested, repeated
from tests.support.cases import case

LONG = "Good day to you, traveller, the bread is fresh and the oven is warm this fine morning"


def votes(*good: bool) -> list:  # type: ignore[type-arg]
    return [case(n, f"p{n}", vote, line="hello", completion="Hm.") for n, vote in enumerate(good)]


def test_one_against_one_says_nothing() -> None:
    assert set(contested(votes(True, False)).values()) == {"contested"}
    assert len(contested(votes(True, False, True, False, True))) == 5, "two against three, neither"


def test_a_clear_majority_outvotes() -> None:
    cases = votes(True, True, False, True)
    assert contested(cases) == {cases[2].turn: "outvoted"}


def test_one_player_has_one_vote_however_often() -> None:
    bad = [case(100 + n, "troll", False, line="hello", completion="Hm.") for n in range(50)]
    good = votes(True, True, True)
    assert set(contested([*good, *bad])) == {case.turn for case in bad}


def test_different_lines_and_npcs_are_different_questions() -> None:
    other = (Message("system", "You are Brom."), Message("user", "alice: hello"))
    cases = [
        case(1, "a", True, line="hello", completion="Hm."),
        case(2, "b", False, line="goodbye", completion="Hm."),
        case(3, "c", False, line="hello", completion="Hm.", messages=other),
    ]
    assert contested(cases) == {}
    assert repeated(cases, 0.85) == {}


def test_exact_and_near_duplicates_are_told_apart_and_the_first_stays() -> None:
    cases = [
        case(1, completion=LONG, line="hello"),
        case(2, completion=LONG.upper() + "!", line="Hello"),
        case(3, completion=LONG.replace("morning", "mornings"), line="hello"),
        case(4, completion="Bread is out. Come back at noon.", line="hello"),
        case(5, completion=LONG, line="hello", good=False),
    ]
    assert repeated(cases, 0.85) == {cases[1].turn: "exact duplicate", cases[2].turn: "near duplicate"}


def test_a_correction_makes_it_another_case() -> None:
    cases = [case(1, completion=LONG, line="a"), case(2, completion=LONG, line="a", correction=LONG[::-1])]
    assert repeated(cases, 0.85) == {}


@pytest.mark.parametrize("similarity", [0.5, 0.85])
def test_of_two_replies_exactly_those_are_dropped_that_are_so_similar(similarity: float) -> None:
    """Whatever the texts: pairs from hardly alike to almost the same, and no answer by chance."""
    rng = random.Random(1)
    words = ["the", "old", "baker", "sells", "fresh", "bread", "near", "my", "mill", "wolves", "walk"]
    dropped = kept = 0
    for _ in range(300):
        said = [rng.choice(words) for _ in range(30)]
        changed = list(said)
        for _ in range(rng.randrange(1, 16)):
            changed[rng.randrange(30)] = rng.choice(words)
        pair = [case(n, line="hm", completion=" ".join(text)) for n, text in enumerate((said, changed))]
        first, second = (
            {text[start : start + 5] for start in range(len(text) - 4)}
            for text in (f"hm\n{one.completion}\n" for one in pair)
        )
        alike = len(first & second) / len(first | second) >= similarity
        assert bool(repeated(pair, similarity)) == (alike or said == changed)
        dropped, kept = dropped + alike, kept + (not alike)
    assert min(dropped, kept) > 20, "both sides of the border were seen"


def test_very_short_texts_are_compared_too() -> None:
    cases = [case(n, line="", completion=said) for n, said in enumerate(("", "?", "ab", "ac", "AB!"))]
    assert repeated(cases, 0.85) == {cases[1].turn: "exact duplicate", cases[4].turn: "exact duplicate"}
