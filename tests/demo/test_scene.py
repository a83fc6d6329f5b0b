"""What the scene makes of the journal's rows."""

from __future__ import annotations

import pytest

from demo import scene
from demo.errors import SceneFailed

RIGHT = [
    {"line": scene.GREETING, "reply": "Hello!"},
    {"line": scene.RECIPE, "reply": "You need 1 Coal lump and 1 stick."},
    {"line": scene.DIRECTIONS, "reply": "24 steps north-east."},
]


def test_right_answers_pass() -> None:
    scene.check_answers(RIGHT)


def test_every_wrong_answer_is_told_with_what_it_lacks() -> None:
    wrong = [
        {"line": scene.RECIPE, "reply": "You need 1 coal lump."},
        {"line": scene.DIRECTIONS, "reply": "I do not know."},
    ]
    with pytest.raises(SceneFailed) as failed:
        scene.check_answers(wrong)
    assert "“how do I make a torch?” was answered without stick: “You need 1 coal lump.”" in str(failed.value)
    assert "“where is the river?” was answered without north-east" in str(failed.value)
