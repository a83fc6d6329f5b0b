from __future__ import annotations

import random

from agent_runtime.npc.prompt import Exchange
from learner.base import talking
from learner.base.checks import faults
from learner.base.scene import Scene, make_scene


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
        wrong = [
            fault for fault in faults(turn.check, turn.reply, someone.facts) if not fault.startswith("sounds")
        ]
        assert not wrong, turn


def test_the_players_name_is_the_told_one_or_the_lines() -> None:
    someone = scene(3)
    assert someone.player in talking.name(someone).reply
    someone.told_name = "Karl"
    assert "Karl" in talking.name(someone).reply


def test_what_was_told_is_recalled_and_what_was_not_is_admitted() -> None:
    recalled = 0
    for number in range(300):
        someone = scene(number)
        told = talking.tell(someone)
        (value,) = someone.told.values()
        assert value in told.line
        turn = talking.recall(someone)
        recalled += value.lower() in turn.reply.lower()
        assert not faults(turn.check, turn.reply, someone.facts), turn
    assert 180 < recalled < 270


def test_last_words_are_quoted() -> None:
    someone = scene(5)
    assert talking.said(someone) is not None
    someone.history.append(Exchange("where is the mill?", "By the river."))
    replies = {turn.reply for turn in (talking.said(someone) for _ in range(60)) if turn}
    assert any("where is the mill?" in reply for reply in replies)
    assert any("By the river." in reply for reply in replies)
    someone.history.append(Exchange("x" * 80, "y" * 80))
    assert talking.said(someone) is None


def test_an_introduction_is_answered_by_name() -> None:
    for number in range(100):
        someone = scene(number)
        turn = talking.introduction(someone)
        (told,) = turn.check["contains_any"]
        assert told in turn.line
        assert told in turn.reply


def test_ratings_are_taken_in_voice() -> None:
    someone = scene(1)
    assert len({talking.rated(someone).reply for _ in range(50)}) > 5
