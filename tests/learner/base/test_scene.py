from __future__ import annotations

import random
import re

from agent_runtime.npc.actions import TABLE
from learner.base.scene import make_scene

SHAPES = {
    "time": r"(night|early morning|morning|noon|afternoon|evening), \d\d:\d\d",
    "ground": r"[a-z ]+(, [a-z ]+)?",
    "state": r"standing|following .+|going to the .+",
    "place": r"here|\d+ steps (north|south)?-?(east|west)?(, (above|below))?",
    "carry": r"\d+",
    "lack": r"none",
    "norecipe": r"has no recipe; it is dug or found",
}


def test_facts_are_worded_as_the_runtime_words_them() -> None:
    counted = dict.fromkeys(SHAPES, 0)
    for number in range(300):
        scene = make_scene(random.Random(number))
        for fact in scene.facts:
            shape = fact.label if fact.label in SHAPES else fact.source.split(":")[0]
            shape = "" if fact.source.startswith("knows:") else shape
            if shape in SHAPES:
                assert re.fullmatch(SHAPES[shape], fact.value), fact
                counted[shape] += 1
            if fact.source.startswith("recipe:"):
                assert fact.label == fact.subject
    assert all(count > 5 for count in counted.values()), counted


def test_numbers_are_the_prompts() -> None:
    scene = make_scene(random.Random(4))
    for number, fact in enumerate(scene.facts, 1):
        assert number in scene.numbers(fact.source)
        assert scene.facts[(scene.number_of(fact.subject, fact.source) or 0) - 1].subject == fact.subject
    assert scene.number_of("no such thing", "place:") is None


def test_the_persona_is_told_in_the_prompt() -> None:
    for number in range(100):
        scene = make_scene(random.Random(number))
        told = (scene.persona.fear, scene.persona.love, scene.persona.origin)
        assert all(value in scene.persona.about for value in told)
        assert set(scene.persona.capabilities) <= set(TABLE)


def test_the_same_seed_gives_the_same_scene() -> None:
    first, second = (make_scene(random.Random(9)) for _ in range(2))
    assert (first.persona, first.facts, first.player) == (second.persona, second.facts, second.player)
