"""What NPCs took up is told in their own words."""

from __future__ import annotations

from learner.gate.evidence import Liked
from learner.gate.phrases import taken_up


def replies(*pairs: tuple[str, str], raters: int = 5) -> list[Liked]:
    return [
        Liked(f"r{number}", f"rater{number % raters}", 0, "hello", before, after, 0.5, 0.5)
        for number, (before, after) in enumerate(pairs * 5)
    ]


def test_a_new_farewell_is_named_once_with_its_shares() -> None:
    found = taken_up(
        replies(
            ("A torch takes [[recipe]].", "A torch takes [[recipe]]. Safe travels, my friend!"),
            ("I bake bread.", "I bake bread. Safe travels, my friend!"),
            ("Hello.", "Hello. [[ACTION:emote kind= wave]]"),
        )
    )
    assert [phrase.words for phrase in found] == ["my friend", "safe travels"]
    assert {(phrase.before, round(phrase.after, 2)) for phrase in found} == {(0.0, 0.67)}


def test_what_replies_to_few_players_say_is_not_told() -> None:
    assert taken_up(replies(("Hello.", "Hello, old ann of the hill."), raters=2)) == []


def test_replies_that_stayed_have_taken_up_nothing() -> None:
    assert taken_up(replies(("Safe travels, friend.", "Safe travels, friend."))) == []
    assert taken_up([]) == []
