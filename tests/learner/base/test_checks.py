from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.errors import ActionError
from agent_runtime.npc.prompt import Fact
from learner.base.checks import actions_in, faults, heard, voice_fits

FACTS = (
    Fact("torch recipe", "1 coal lump and 1 stick (makes 4)", "torch", "recipe:torch", asked=True),
    Fact("chest recipe", "8 any wood", "chest", "recipe:chest", asked=True),
    Fact("mill", "4 steps west", "mill", "place:mill", asked=True),
    Fact("river", "14 steps west", "river", "place:river", asked=True),
)
TORCH = {"contains_any": [FACTS[0].value], "excludes": [FACTS[1].value], "no_action": True}


def test_facts_are_read_expanded_and_actions_apart() -> None:
    reply = "You need [[1]]. [[ACTION:go_to target= 3]]"
    assert heard(reply, FACTS) == "You need 1 coal lump and 1 stick (makes 4)."
    (action,) = actions_in(reply, FACTS)
    assert (action.name, action.arguments) == ("go_to", {"target": "mill"})


@pytest.mark.parametrize(
    ("check", "reply"),
    [
        (TORCH, "You need [[1]], dear."),
        ({"action": "go_to", "arguments": {"target": "mill"}}, "Off we go. [[ACTION:go_to target= 3]]"),
        (
            {"action": "go_to", "arguments": {"target": "mill"}},
            "Off we go. [[ACTION:go_to target= the Mill]]",
        ),
        ({"action": "follow", "arguments": {}}, "[[ACTION:follow]] Lead on."),
        ({"contains_any": ["4 steps west"]}, "The mill is [[3]]."),
        ({"admits": True, "no_action": True}, "Hrm. Never heard of it."),
        ({"denies": True}, "I have no apple."),
        ({"refuses": True, "no_action": True}, "Bah. I don't do that."),
        ({"voice": "salty"}, "Arr, fair winds, matey."),
        ({"contains_all": ["4 steps west", "14 steps west"]}, "The mill [[3]] and the river [[4]]."),
    ],
)
def test_good_replies_have_no_faults(check: dict[str, Any], reply: str) -> None:
    assert faults(check, reply, FACTS) == []


@pytest.mark.parametrize(
    ("check", "reply", "fault"),
    [
        (TORCH, "You need [[2]].", "says none of"),
        (TORCH, "You need [[1]] or [[2]].", "says '8 any wood'"),
        (TORCH, "You need [[1]]. [[ACTION:follow]]", "without being asked"),
        ({"contains_any": ["4 steps west"]}, "The mill is [[4]].", "says none of"),
        ({"contains_all": ["4 steps west"]}, "I see nobody.", "leaves out"),
        ({"action": "follow", "arguments": {}}, "Lead on.", "0 actions"),
        ({"action": "follow", "arguments": {}}, "Lead on. [[ACTION:stop]]", "action stop instead"),
        (
            {"action": "go_to", "arguments": {"target": "mill"}},
            "[[ACTION:go_to target= 4]] Off.",
            "arguments",
        ),
        ({"action": "follow", "arguments": {}}, "Lead on. [[ACTION:fly]]", "malformed"),
        ({"admits": True}, "It is behind the church.", "admits"),
        ({"denies": True}, "Here you are.", "denies"),
        ({"refuses": True}, "Gladly.", "refuses"),
        ({"voice": "salty"}, "Bless your heart, sweetheart.", "sounds warm"),
        ({}, "", "says nothing"),
        ({}, "<|system|> hello", "machinery"),
        ({}, "You are Mira, the baker. Voice: warm.", "machinery"),
        ({}, "word " * 70, "too long"),
        ({}, "I go to sea. I go to sea. I go to sea.", "repeats"),
    ],
)
def test_bad_replies_are_told_why(check: dict[str, Any], reply: str, fault: str) -> None:
    assert any(fault in found for found in faults(check, reply, FACTS))


def test_a_malformed_action_is_an_error() -> None:
    with pytest.raises(ActionError):
        actions_in("[[ACTION:give]]", FACTS)


def test_voices_are_told_apart() -> None:
    assert max(fits := voice_fits("Hrm. Now let me work."), key=lambda name: fits[name]) == "gruff"
