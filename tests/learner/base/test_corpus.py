from __future__ import annotations

import itertools
import random
from dataclasses import replace

from agent_runtime.npc.prompt import REFERENCE, Fact
from agent_runtime.npc.relevance import choose
from learner.base.checks import ACTION, faults
from learner.base.corpus import IN_GERMAN, MOST_FACTS, add_history, as_served, draw_turn, samples, spoken
from learner.base.german import is_german
from learner.base.grammar import GERMAN
from learner.base.scene import make_scene
from learner.base.turns import Turn


def test_samples_are_the_same_for_the_same_seed_and_number() -> None:
    first = list(itertools.islice(samples(4), 6))
    again = list(itertools.islice(samples(4, start=3), 3))
    assert [s.turns for s in first[3:]] == [s.turns for s in again]
    assert [s.turns for s in first] != [s.turns for s in itertools.islice(samples(5), 6)]


def test_branches_do_not_know_of_each_other() -> None:
    for sample in itertools.islice(samples(2), 200):
        told = {value.lower() for value in sample.scene.told.values()}
        lines = " ".join(exchange.line for exchange in sample.scene.talk).lower()
        assert all(value in lines for value in told)


def test_history_holds_what_the_player_read() -> None:
    for number in range(200):
        scene = make_scene(random.Random(number))
        add_history(scene, 5, shown=3)
        assert len(scene.talk) == 5
        assert scene.history == scene.talk[-3:]
        for exchange in scene.history:
            assert not ACTION.search(exchange.reply)
            assert not REFERENCE.search(exchange.reply)


def test_replies_are_short_and_on_one_line() -> None:
    lengths = []
    for sample in itertools.islice(samples(3), 150):
        for turn in sample.turns:
            assert "\n" not in turn.reply + turn.line
            assert "{" not in turn.reply
            lengths.append(len(turn.reply.split()))
    assert max(lengths) <= 60
    assert 5 < sum(lengths) / len(lengths) < 20


def test_all_slices_come_up() -> None:
    scenes = (make_scene(random.Random(n)) for n in range(400))
    slices = {draw_turn(scene).slice for scene in scenes}
    assert slices == {
        *("recipe", "uses", "directions", "facts", "unknown"),
        *("action", "false_action", "refusal", "style", "memory"),
    }


def test_some_scenes_are_german_with_all_that_is_said_in_them() -> None:
    drawn = list(itertools.islice(samples(6, branches=3), 300))
    german = [sample for sample in drawn if sample.scene.language == GERMAN]
    assert 0.5 * IN_GERMAN < len(german) / len(drawn) < 1.5 * IN_GERMAN
    said = [turn.reply for sample in german for turn in sample.turns]
    said += [exchange.reply for sample in german for exchange in sample.scene.history]
    english = [reply for reply in said if not is_german(ACTION.sub(" ", REFERENCE.sub(" ", reply)))]
    assert len(english) < 0.04 * len(said), english  # facts in the history may outweigh a short reply


def test_most_talks_have_something_told() -> None:
    drawn = list(itertools.islice(samples(7, branches=4), 300))
    talks = [sample.scene for sample in drawn if len(sample.scene.talk) > 1]
    assert sum(bool(scene.told) for scene in talks) > len(talks) / 2


def test_actions_are_cut_out_of_what_was_said() -> None:
    assert spoken("[[ACTION:follow]] Lead on.") == "Lead on."
    assert spoken("Here. [[ACTION:give item= 2 count= 3]] Take it.") == "Here. Take it."


def test_facts_are_chosen_as_in_serving_and_tags_follow_them() -> None:
    quoted = set()
    for number in range(700):
        scene = make_scene(random.Random(number))
        turn = draw_turn(scene)
        assert turn.facts == tuple(choose(turn.line, scene.facts, MOST_FACTS))
        wrong = [
            fault for fault in faults(turn.check, turn.reply, turn.facts) if not fault.startswith("sounds")
        ]
        assert not wrong, turn
        quoted |= set(REFERENCE.findall(turn.reply))
    assert {"recipe", "uses", "where", "carry", "name", "bag", "near", "news", "player"} <= quoted


def test_a_reply_that_quotes_what_the_runtime_would_leave_out_is_not_learned() -> None:
    scene = make_scene(random.Random(1))
    scene.facts = [Fact("old mill", "3 steps west", "old mill", "place:old mill", "a")]
    assert as_served(scene, Turn("x", "hello", "It is [[a]].")) is None
    asked = as_served(scene, Turn("x", "where is the old mill?", "It is [[a]]. [[ACTION:go_to target= a]]"))
    assert asked
    assert asked.reply == "It is [[where]]. [[ACTION:go_to target= where]]"
    assert asked.facts == (replace(scene.facts[0], tag="where"),)
