from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from agent_runtime.npc.actions import TABLE
from learner.base import acting
from learner.base.checks import actions_in, faults
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn

Maker = Callable[[Scene], Turn | None]
MAKERS = (acting.simple, acting.emote, acting.to_somebody, acting.to_place, acting.give, acting.rare)


def turns(maker: Maker, count: int = 600) -> list[tuple[Scene, Turn]]:
    drawn = ((scene, maker(scene)) for scene in (make_scene(random.Random(n)) for n in range(count)))
    return [(scene, turn) for scene, turn in drawn if turn]


@pytest.mark.parametrize("maker", MAKERS)
def test_actions_can_be_read_and_pass_their_own_check(maker: Maker) -> None:
    for scene, turn in turns(maker):
        for action in actions_in(turn.reply, scene.facts):
            assert action.name in scene.persona.capabilities
        assert not faults(turn.check, turn.reply, scene.facts), turn


def test_every_action_of_the_table_comes_up() -> None:
    drawn = [*turns(acting.rare, 3000), *(pair for maker in MAKERS for pair in turns(maker, 200))]
    seen = {action.name for scene, turn in drawn for action in actions_in(turn.reply, scene.facts)}
    assert seen == set(TABLE)


def test_what_the_persona_cannot_do_is_declined() -> None:
    declined = [turn for maker in MAKERS for _, turn in turns(maker) if turn.check.get("denies")]
    assert len(declined) > 50
    assert all("[[ACTION" not in turn.reply for turn in declined)


def test_things_in_the_facts_are_named_by_tag() -> None:
    for scene, turn in turns(acting.give):
        if turn.check.get("action") == "give":
            carried = scene.numbers("carry:")
            tags = [scene.facts[number - 1].tag for number in carried]
            assert any(f"item= {tag} " in turn.reply.replace("]]", " ") for tag in tags)


def test_counts_are_the_players() -> None:
    counted = [turn for _, turn in turns(acting.give) if "count" in turn.check.get("arguments", {})]
    assert len(counted) > 20
    for turn in counted:
        assert str(turn.check["arguments"]["count"]) in turn.line.split()


def test_unknown_places_are_not_walked_to() -> None:
    unknown = [turn for _, turn in turns(acting.to_place) if turn.slice == "unknown"]
    assert unknown
    assert all("[[ACTION" not in turn.reply for turn in unknown)


@pytest.mark.parametrize("maker", [acting.forbidden, acting.injection])
def test_forbidden_asks_and_tricks_are_refused_without_any_action(maker: Maker) -> None:
    found = turns(maker)
    assert len({turn.line for _, turn in found}) > 300
    for scene, turn in found:
        assert "[[" not in turn.reply
        assert not faults(turn.check, turn.reply, scene.facts), turn
