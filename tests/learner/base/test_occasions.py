"""Small talk is told apart by what it answers: training's own lines pass, those of other occasions do not."""

from __future__ import annotations

import random

import pytest

from learner.base import occasions, talking
from learner.base.checks import faults
from learner.base.grammar import voices
from learner.base.scene import make_scene
from learner.base.turns import Turn


def turns(count: int) -> list[Turn]:
    drawn = (talking.talk(make_scene(random.Random(f"occasions:{number}"))) for number in range(count))
    return [turn for turn in drawn if "occasion" in turn.check]


def test_training_lines_answer_their_occasion() -> None:
    assert all(
        occasions.answers(turn.reply, turn.check["occasion"], turn.check["voice"]) for turn in turns(600)
    )


def test_lines_of_other_occasions_hardly_ever_do() -> None:
    rng, passed, asked = random.Random(1), 0, 0
    for turn in turns(600):
        voice = turn.check["voice"]
        others = sorted(occasions.fits("", voice).keys() - {turn.check["occasion"]})
        asked += 1
        passed += occasions.answers(turn.reply, rng.choice(others), voice)
    assert passed < 0.02 * asked


@pytest.mark.parametrize("words", ["", "1 + 1", "[[time]]"])
def test_a_reply_without_words_fits_nothing(words: str) -> None:
    assert max(occasions.fits(words, "warm").values()) <= 1


def test_the_check_names_what_was_asked() -> None:
    voice = next(iter(voices()))
    turn = next(
        turn for turn in turns(600) if turn.check["occasion"] == "greet" and turn.check["voice"] == voice
    )
    assert not faults(turn.check, turn.reply, ())
    assert "is no answer to bye" in faults({**turn.check, "occasion": "bye"}, turn.reply, ())
