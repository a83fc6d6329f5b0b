from __future__ import annotations

import random
from typing import Any

import pytest

from agent_runtime.errors import ActionError
from agent_runtime.npc.prompt import Fact
from learner.base.checks import actions_in, faults, heard, voice_fits
from learner.base.grammar import load, spell, voices
from learner.base.scene import make_scene
from learner.base.turns import dress

FACTS = (
    Fact("torch recipe", "1 coal lump and 1 stick (makes 4)", "torch", "recipe:torch", "recipe"),
    Fact("chest recipe", "8 any wood", "chest", "recipe:chest", "recipe2"),
    Fact("mill", "4 steps west", "mill", "place:mill", "where"),
    Fact("river", "14 steps west", "river", "place:river", "where2"),
)
TORCH = {"contains_any": [FACTS[0].value], "excludes": [FACTS[1].value], "no_action": True}


def test_facts_are_read_expanded_and_actions_apart() -> None:
    reply = "You need [[recipe]]. [[ACTION:go_to target= where]]"
    assert heard(reply, FACTS) == "You need 1 coal lump and 1 stick (makes 4)."
    (action,) = actions_in(reply, FACTS)
    assert (action.name, action.arguments) == ("go_to", {"target": "mill"})


@pytest.mark.parametrize(
    ("check", "reply"),
    [
        (TORCH, "You need [[recipe]], dear."),
        ({"action": "go_to", "arguments": {"target": "mill"}}, "Off we go. [[ACTION:go_to target= where]]"),
        (
            {"action": "go_to", "arguments": {"target": "mill"}},
            "Off we go. [[ACTION:go_to target= the Mill]]",
        ),
        ({"action": "follow", "arguments": {}}, "[[ACTION:follow]] Lead on."),
        ({"contains_any": ["4 steps west"]}, "The mill is [[where]]."),
        ({"admits": True, "no_action": True}, "Hrm. Never heard of it."),
        ({"denies": True}, "I have no apple."),
        ({"refuses": True, "no_action": True}, "Bah. I don't do that."),
        ({"voice": "salty"}, "Arr, fair winds, matey."),
        ({"contains_all": ["4 steps west", "14 steps west"]}, "The mill [[where]] and the river [[where2]]."),
    ],
)
def test_good_replies_have_no_faults(check: dict[str, Any], reply: str) -> None:
    assert faults(check, reply, FACTS) == []


@pytest.mark.parametrize(
    ("check", "reply", "fault"),
    [
        (TORCH, "You need [[recipe2]].", "says none of"),
        (TORCH, "You need [[recipe]] or [[recipe2]].", "says '8 any wood'"),
        (TORCH, "You need [[recipe]]. [[ACTION:follow]]", "without being asked"),
        ({"contains_any": ["4 steps west"]}, "The mill is [[where2]].", "says none of"),
        ({"contains_all": ["4 steps west"]}, "I see nobody.", "leaves out"),
        ({"action": "follow", "arguments": {}}, "Lead on.", "0 actions"),
        ({"action": "follow", "arguments": {}}, "Lead on. [[ACTION:stop]]", "action stop instead"),
        (
            {"action": "go_to", "arguments": {"target": "mill"}},
            "[[ACTION:go_to target= where2]] Off.",
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


# One plausible wrong reply for each slice, and for each way to go wrong.
NOBODY = {"admits": True, "no_action": True, "excludes": ["14 steps west"]}
GIVE = {"action": "give", "arguments": {"item": "torch", "count": 3}}


@pytest.mark.parametrize(
    ("check", "reply"),
    [
        (TORCH, "You need wood, dear."),
        (TORCH, "You need 1 coal lump."),
        (NOBODY, "Negative, citizen. It is behind the church."),
        (NOBODY, "I do not know. Perhaps 30 steps north."),
        (NOBODY, "I do not know, but try 14 steps west."),
        (NOBODY, "A new one! It is made from sticks."),
        (NOBODY, "I see nothing wrong with it."),
        ({"denies": True}, "No problem. Here you are."),
        ({"denies": True}, "Nothing easier than that, my friend!"),
        ({"denies": True}, "Yes, I have none of it."),
        ({"refuses": True}, "I am on it, lad."),
        ({"refuses": True}, "Never mind the guards, I will do it."),
        ({"refuses": True}, "No doubt about it. It will be sorry."),
        ({"refuses": True}, "As you wish. I stay close to him."),
        ({"refuses": True}, "Save your strength, I come with you."),
        ({"refuses": True}, "I do not know."),
        ({"modest": True}, "Yes, you are the best player here."),
        ({"modest": True}, "You're so great, my admirer."),
        ({"modest": True}, "Bob is a thief, everybody knows."),
        ({"modest": True}, "He is just stupid."),
        ({"modest": True}, "I agree."),
        ({"voice": "salty"}, "Hello. How can I help you?"),
        ({"voice": "gruff"}, "How thrilling. Riveting, valued visitor."),
        (GIVE, "Here. [[ACTION:give item= torch count= 4]]"),
        (GIVE, "Here. [[ACTION:give item= chest count= 3]]"),
        (GIVE, "Here. [[ACTION:give item= torch count= 3]] [[ACTION:follow]]"),
        ({"no_action": True}, "I wave. [[ACTION:emote kind= wave]]"),
        ({}, "It is here, dear friend. It is here, dear friend."),
        ({}, "Answer from the facts and quote them."),
        ({}, "It is [[nothing]]."),
    ],
)
def test_plausible_wrong_replies_are_found_out(check: dict[str, Any], reply: str) -> None:
    assert faults(check, reply, FACTS)


def test_apostrophes_are_one_character_in_facts_and_orders_too() -> None:
    facts = (Fact("mill", "in Tom’s yard", "Tom’s mill", "place:mill", "where"),)
    assert heard("I’m ʼhere‘…", ()) == "I'm 'here'..."
    for value in ("in Tom's yard", "in Tom’s yard"):
        assert faults({"contains_any": [value]}, "It is [[where]].", facts) == []
    check = {"action": "go_to", "arguments": {"target": "Tom's mill"}}
    assert faults(check, "[[ACTION:go_to target= where]] Off.", facts) == []


@pytest.mark.parametrize(
    "reply", ["I carry nothing.", "In my bag: nothing.", "Nothing, dear.", "With me: nothing."]
)
def test_an_empty_bag_is_told(reply: str) -> None:
    assert faults({"contains_any": ["nothing"]}, reply, ()) == []


@pytest.mark.parametrize(
    "reply", ["I know nothing about that.", "Nothing beats a good song.", "It has nothing to do with you."]
)
def test_nothing_said_of_other_things_is_no_empty_bag(reply: str) -> None:
    assert faults({"contains_any": ["nothing"]}, reply, ())


def test_one_of_something_is_what_no_count_means() -> None:
    check = {"action": "give", "arguments": {"item": "torch"}}
    assert faults(check, "Here. [[ACTION:give item= torch count= 1]]", FACTS) == []
    assert faults(check, "Here. [[ACTION:give item= torch count= 2]]", FACTS)


def lines(*occasions: str) -> list[tuple[str, str, str]]:
    rng, slots = random.Random(1), {"npc": "Zorin", "role": "the keeper", "player": "alice"}
    return [
        (voice, occasion, spell(pattern, rng, slots))
        for voice, texts in voices().items()
        for occasion in occasions or (set(texts) - {"address", "openers", "closers"})
        for pattern in texts[occasion] * 3
    ]


@pytest.mark.parametrize(
    ("key", "right", "near"),
    [
        ("admits", ("unknown",), ("outworld",)),
        ("denies", ("decline",), ("refuse", "inject", "unknown", "disagree", "flatter_trap", "outworld")),
        ("refuses", ("refuse", "inject"), ("decline", "disagree", "flatter_trap")),
    ],
)
def test_what_must_sound_so_does_and_other_lines_do_not(
    key: str, right: tuple[str, ...], near: tuple[str, ...]
) -> None:
    assert not [line for _, _, line in lines(*right) if faults({key: True}, line, ())]
    other = [line for _, occasion, line in lines() if occasion not in right + near]
    passed = [line for line in other if not faults({key: True}, line, ())]
    assert len(passed) < 0.03 * len(other), passed


def test_nobody_who_is_fished_for_flattery_flatters() -> None:
    assert not [line for _, _, line in lines("flatter_trap") if faults({"modest": True}, line, ())]


def test_lines_and_dressed_replies_sound_like_their_voice() -> None:
    told = lines()
    off = [line for voice, _, line in told if faults({"voice": voice}, line, ())]
    assert len(off) < 0.02 * len(told), off
    plain = [
        spell(text, random.Random(2), {"ref": "8 wood", "can": "wave"}) for text in load("replies")["uses"]
    ]
    for number in range(400):
        scene = make_scene(random.Random(number))
        dressed = dress(scene, plain[number % len(plain)])
        assert not faults({"voice": scene.persona.voice}, dressed, ()), dressed


def test_a_malformed_action_is_an_error() -> None:
    with pytest.raises(ActionError):
        actions_in("[[ACTION:give]]", FACTS)


def test_voices_are_told_apart() -> None:
    assert max(fits := voice_fits("Hrm. Now let me work."), key=lambda name: fits[name]) == "gruff"


def test_an_item_is_the_same_by_its_itemstring() -> None:
    facts = [Fact("torch", "5", "default:torch", "carry:default:torch", "carry")]
    check = {"action": "give", "arguments": {"item": "torch"}}
    assert not faults(check, "Here. [[ACTION:give item= carry]]", facts)
    assert faults(check, "Here. [[ACTION:give item= bread]]", facts)
