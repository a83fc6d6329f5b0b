"""Who a turn names: speakers, those who are near, and what is no player at all."""

from __future__ import annotations

import pytest

from agent_runtime.npc.prompt import Fact, Message
from learner.dataset.people import bystanders, followed, speakers, things, townspeople
from tests.support import rows as make


def test_speakers_are_all_who_spoke_in_the_prompt_and_what_they_call_themselves() -> None:
    prompt = (
        Message("system", "You are Ada."),
        Message("user", "Alice: my name is Robert"),
        Message("assistant", "Bob: hello, call me Ada."),
        Message("user", "[told] by the player: nenn mich Jörg\nAlice: who am i?"),
    )
    assert speakers(make.turn(1, prompt=prompt)) == {"alice", "robert", "jörg"}


def test_a_turn_without_a_prompt_still_tells_who_spoke() -> None:
    facts = (Fact("player", "Bob", "Bob", "speaker"),)
    assert speakers(make.turn(1, prompt=(), facts=facts)) == {"bob"}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("nobody else", set()),
        ("Bob-2 here", {"bob-2"}),
        (
            "bob 4 steps west, above, carl_77 9 steps east and a sheep 12 steps north",
            {"bob", "carl_77"},
        ),
        ("bob 4 steps west, above and an eagle here", {"bob"}),
        ("a dungeon master 3 steps south", set()),
        ("Old Tom 3 steps south and and 2 steps west", {"and"}),
    ],
)
def test_bystanders_are_read_from_the_fact_about_who_is_near(value: str, names: set[str]) -> None:
    assert bystanders(make.turn(1, facts=(Fact("near", value, "near", "near"),))) == names


@pytest.mark.parametrize(
    ("value", "names"),
    [("following Bob", {"bob"}), ("walking to carl_77", {"carl_77"}), ("walking to old mill", set())],
)
def test_whom_the_npc_follows_is_read_from_what_it_does(value: str, names: set[str]) -> None:
    assert followed(make.turn(1, facts=(Fact("you", value, "you", "state"),))) == names


def test_a_fact_of_its_own_says_what_its_subject_is() -> None:
    facts = tuple(
        Fact(name, "here", name, f"{kind}:{name}")
        for kind, name in (("player", "Bob"), ("npc", "Brom"), ("mob", "Orc"), ("place", "Mill"))
    )
    turn = make.turn(1, npc_name="Ada", facts=facts)
    assert bystanders(turn) == {"bob"}
    assert townspeople(turn) == {"ada", "brom"}
    assert things(turn) == {"orc", "mill"}
