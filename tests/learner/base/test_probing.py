from __future__ import annotations

import random

import pytest

from learner.base import probing
from learner.base.checks import faults, heard
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn


def turns(maker: object, count: int = 60) -> list[tuple[Scene, Turn]]:
    scenes = [make_scene(random.Random(number), unseen=True) for number in range(6 * count)]
    for scene in scenes:
        scene.new_wordings = True
    found = [(scene, maker(scene)) for scene in scenes]  # type: ignore[operator]
    made = [(scene, turn) for scene, turn in found if turn][:count]
    assert len(made) == count
    return made


@pytest.mark.parametrize("maker", [probing.recipe, probing.place, probing.flattery])
def test_good_replies_pass_their_own_check(maker: object) -> None:
    for scene, turn in turns(maker):
        assert not faults(turn.check, turn.reply, scene.facts), turn


def test_the_recipe_of_another_item_that_was_named_is_wrong() -> None:
    for scene, turn in turns(probing.recipe):
        for value in turn.check["excludes"]:
            assert faults(turn.check, f"You need {value}.", scene.facts)
        assert sum(subject in turn.line for subject in scene.subjects("recipe:")) >= 3


def test_the_way_to_another_place_is_wrong() -> None:
    for scene, turn in turns(probing.place):
        right = heard(turn.reply, scene.facts)
        assert faults(turn.check, f"{right} {turn.check['excludes'][0]}", scene.facts)
