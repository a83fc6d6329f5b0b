"""What anybody may say is an ordinary word, and what people are called is not."""

from __future__ import annotations

import pytest

from learner.base.grammar import load_tables
from learner.dataset.ordinary import ordinary_words


@pytest.mark.parametrize(
    "words",
    [
        "the how what hello cool wie gut",
        "torch pickaxe sheep wolf mill",
        "follow action target near north steps player walking following standing nothing townsperson",
    ],
)
def test_words_of_talk_and_of_the_game_are_ordinary(words: str) -> None:
    assert set(words.split()) <= ordinary_words()


@pytest.mark.parametrize("name", ["alice", "bob", "anna", "frank", "gerald", "mary", "player1", "carl_77"])
def test_names_are_not(name: str) -> None:
    assert name not in ordinary_words()


def test_few_names_of_the_base_are_words_as_well() -> None:
    players = load_tables("names")["player"]
    named = {name.lower() for name in players["seen"] + players["unseen"]}
    assert named & ordinary_words() <= {"tiger", "sandy"}
