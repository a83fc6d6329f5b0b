from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from agent_runtime.npc.prompt import REFERENCE, Fact, expand, tagged
from learner.base import asking
from learner.base.checks import faults
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn

Maker = Callable[[Scene], Turn | None]


def turns(maker: Maker, count: int = 150) -> list[tuple[Scene, Turn]]:
    found: list[tuple[Scene, Turn]] = []
    for number in range(20 * count):
        scene = make_scene(random.Random(number))
        turn = maker(scene)
        if turn:
            found.append((scene, turn))
        if len(found) == count:
            return found
    raise AssertionError(f"only {len(found)} turns")


def quoted(scene: Scene, turn: Turn) -> list[Fact]:
    found = [tagged(tag, scene.facts) for tag in REFERENCE.findall(turn.reply)]
    return [fact for fact in found if fact]


@pytest.mark.parametrize(
    "maker",
    [
        asking.recipe,
        asking.uses,
        asking.where,
        asking.single,
        asking.near,
        asking.carry,
        asking.two,
        asking.two_places,
        asking.knows,
    ],
)
def test_replies_quote_facts_that_exist_and_pass_their_own_check(maker: Maker) -> None:
    for scene, turn in turns(maker):
        assert all(tagged(tag, scene.facts) for tag in REFERENCE.findall(turn.reply))
        assert "something" not in expand(turn.reply, scene.facts)
        assert not faults(turn.check, turn.reply, scene.facts), (turn, scene.facts)


def test_a_recipe_is_the_asked_items_own() -> None:
    confused = 0
    for scene, turn in turns(asking.recipe):
        subjects = {fact.subject for fact in quoted(scene, turn)}
        assert len(subjects) == 1
        others = {f.subject for f in scene.facts if f.source.startswith("recipe:")} - subjects
        confused += bool(others)
    assert confused > 50


@pytest.mark.parametrize("maker", [asking.unknown_item, asking.unknown_place])
def test_what_no_fact_tells_is_admitted(maker: Maker) -> None:
    for scene, turn in turns(maker):
        assert turn.slice == "unknown"
        assert "[[" not in turn.reply
        assert not faults(turn.check, turn.reply, scene.facts), turn


def test_items_not_carried_are_denied_even_when_other_facts_name_them() -> None:
    named = 0
    for scene, turn in turns(asking.carry_one):
        if turn.check.get("denies"):
            assert not faults(turn.check, turn.reply, scene.facts), turn
            named += any(fact.subject in turn.line and fact.source[:5] != "carry" for fact in scene.facts)
    assert named > 5


def test_a_use_nobody_knows_is_admitted() -> None:
    found = [turn for _, turn in turns(asking.uses, 300) if turn.slice == "unknown"]
    assert found
    assert all("[[" not in turn.reply for turn in found)


def test_a_name_among_little_words_asks_what_is_known_of_it() -> None:
    for scene, turn in turns(asking.bare):
        (fact,) = set(quoted(scene, turn))
        assert fact.subject.lower() in turn.line.lower()
        assert not faults(turn.check, turn.reply, scene.facts), turn
