from __future__ import annotations

import random

from agent_runtime.npc.known import tells
from agent_runtime.npc.prompt import Exchange, expand
from learner.base import talking
from learner.base.checks import faults
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn


def scene(number: int) -> Scene:
    return make_scene(random.Random(number))


def test_small_talk_sounds_like_its_voice_and_does_nothing() -> None:
    off = 0
    for number in range(500):
        someone = scene(number)
        turn = talking.talk(someone)
        assert "[[" not in turn.reply
        off += bool(faults(turn.check, turn.reply, someone.facts))
    assert off < 25  # voices share some words


def test_the_character_knows_itself() -> None:
    for number in range(300):
        someone = scene(number)
        turn = talking.myself(someone)
        assert turn
        wrong = [
            fault for fault in faults(turn.check, turn.reply, someone.facts) if not fault.startswith("sounds")
        ]
        assert not wrong, turn


def heard(someone: Scene, turn: Turn | None) -> str:
    assert turn
    assert not faults(turn.check, turn.reply, someone.facts), turn
    return expand(turn.reply, someone.facts)


def test_the_players_name_is_the_told_one_or_the_lines() -> None:
    someone = scene(3)
    assert someone.player in heard(someone, talking.name(someone))
    while not tells((told := talking.introduction(someone)).line):
        pass  # "Harmar, at your service" is no line that the runtime keeps
    someone.remember(Exchange(told.line, told.reply))
    assert someone.told_name
    assert someone.told_name in told.line
    assert someone.told_name in heard(someone, talking.name(someone))


def test_what_was_told_is_recalled_and_what_was_not_is_admitted() -> None:
    recalled = 0
    for number in range(300):
        someone = scene(number)
        told = talking.tell(someone)
        (value,) = someone.told.values()
        assert value in told.line
        someone.remember(Exchange(told.line, told.reply))
        turn = talking.recall(someone)
        recalled += bool(turn) and value in heard(someone, turn)
    assert 180 < recalled < 290


def test_last_words_are_quoted() -> None:
    someone = scene(5)
    assert "[[" not in talking.said(someone).reply
    someone.remember(Exchange("where is the mill?", "By the river."))
    replies = {heard(someone, talking.said(someone)) for _ in range(60)}
    assert any("where is the mill?" in reply for reply in replies)
    assert any("By the river." in reply for reply in replies)


def test_talk_with_the_words_of_orders_is_only_answered() -> None:
    for number in range(200):
        turn = talking.not_orders(scene(number))
        assert "[[" not in turn.reply


def test_ratings_are_taken_in_voice() -> None:
    someone = scene(1)
    assert len({talking.rated(someone).reply for _ in range(50)}) > 5
