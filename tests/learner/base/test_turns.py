from __future__ import annotations

import random

from agent_runtime.npc.actions import parse_proposal
from learner.base.checks import ACTION
from learner.base.grammar import GERMAN, voices
from learner.base.scene import Scene, make_scene
from learner.base.turns import act, ask, dress, has, item_slots, mistype, typed


def scene(number: int = 1) -> Scene:
    return make_scene(random.Random(number))


def test_a_dressed_reply_keeps_its_words_and_sounds_like_its_voice() -> None:
    for number in range(200):
        someone = scene(number)
        spoken = dress(someone, "You need [[3]].")
        assert "ou need [[3]]." in spoken
        frame = voices()[someone.persona.voice]
        assert spoken.startswith(tuple(frame["openers"])) or spoken.endswith(tuple(frame["closers"]))


def test_names_keep_their_capital_inside_a_sentence() -> None:
    someone = scene()
    someone.voice = {**someone.voice, "openers": ["Hear this:"], "closers": ["Done."]}
    spoken = {dress(someone, f"{someone.persona.name} is my name.") for _ in range(50)}
    assert all(someone.persona.name in words for words in spoken)
    assert "Hear this: take [[1]]." in {dress(someone, "Take [[1]].") for _ in range(50)}


def test_actions_are_ones_the_runtime_can_read() -> None:
    someone = scene()
    for _ in range(50):
        reply = act(someone, "Here.", "give", item=3, count=2, target="bob")
        (body,) = ACTION.findall(reply)
        assert parse_proposal(body).arguments == {"item": "3", "count": 2, "target": "bob"}
        assert "= 3 count= 2" in body  # values begin with a space: one token whatever stands before


def test_words_come_before_the_action_nearly_always() -> None:
    someone = scene()
    first = sum(act(someone, "Here.", "follow").startswith("Here.") for _ in range(500))
    assert 440 < first < 500


def test_forms_of_items() -> None:
    assert item_slots("iron axe")["An_item"] == "An iron axe"


def test_typed_lines_vary_but_keep_their_names() -> None:
    someone = scene()
    lines = {typed(someone, "where is the Old Mill?", plain=True) for _ in range(200)}
    assert len(lines) > 10
    assert all("Old Mill" in line for line in lines)
    assert any(someone.persona.name.lower() in line.lower() for line in lines)
    assert len({typed(someone, "where is the old mill?") for _ in range(200)}) > 60


def test_german_is_typed_with_and_without_its_own_letters() -> None:
    someone = make_scene(random.Random(1), language=GERMAN)
    lines = [typed(someone, "wofür brauche ich größe?") for _ in range(300)]
    assert 20 < sum("wofuer" in line.lower() for line in lines) < 150
    assert sum("please" in line or "hello" in line for line in lines) == 0
    assert any("bitte" in line for line in lines)


def test_wordings_are_in_the_scenes_language() -> None:
    german, english = make_scene(random.Random(1), language=GERMAN), scene()
    assert has(german, "questions", "time")
    assert not has(german, "questions", "weather")
    assert has(english, "questions", "weather")
    assert ask(german, "questions", "time") != ask(english, "questions", "time")


def test_a_slip_changes_one_letter_or_two() -> None:
    rng = random.Random(1)
    for _ in range(100):
        slipped = mistype("where is the mill", rng)
        assert abs(len(slipped) - len("where is the mill")) <= 1
    assert mistype("hi", rng) == "hi"
