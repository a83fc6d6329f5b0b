from __future__ import annotations

import random
from typing import Any

import pytest

from agent_runtime.npc.prompt import Fact
from learner.base.checks import faults
from learner.base.corpus import SPEAK_GERMAN, Maker, add_history
from learner.base.german import is_german
from learner.base.grammar import ENGLISH, GERMAN, load_tables, seen, spell, texts, voices
from learner.base.scene import make_scene

FACTS = (Fact("mill", "4 steps west", "mill", "place:mill", "where"),)
SLOTS = {"npc": "Zorin", "role": "the keeper", "player": "alice", "ref": "", "ref2": "", "can": "dance"}
ADMITTING = ("unknown", "item_unknown", "where_unknown", "go_unknown", "uses_none")
DENYING = ("decline", "carry_not", "give_not")
REFUSING = ("refuse", "inject")
NO_WAY = ("norecipe",)  # it cannot be made: a no, but to nothing that anybody asked for


def lines() -> list[tuple[str, str]]:
    """Every German reply with its key, three ways of each, without the facts."""
    rng = random.Random(1)
    replies = {**texts("replies", GERMAN), **load_tables("de/voices")["common"]}
    return [(key, spell(text, rng, SLOTS)) for key, patterns in replies.items() for text in patterns * 3]


def test_german_replies_are_german_and_english_ones_are_not() -> None:
    assert not [line for _, line in lines() if not is_german(line)]
    patterns = [text for found in texts("replies", ENGLISH).values() for text in found]
    patterns += [text for voice in voices().values() for text in voice["greet"] + voice["unknown"]]
    english = [spell(text, random.Random(1), SLOTS) for text in patterns]
    assert not [line for line in english if is_german(line)]


@pytest.mark.parametrize(
    ("key", "right", "near"),
    [
        ("admits", ADMITTING, ()),
        ("denies", DENYING, (*REFUSING, *ADMITTING, *NO_WAY)),
        ("refuses", REFUSING, (*DENYING, *ADMITTING, *NO_WAY)),
    ],
)
def test_what_must_sound_so_does_and_other_lines_do_not(
    key: str, right: tuple[str, ...], near: tuple[str, ...]
) -> None:
    check = {key: True, "language": GERMAN}
    assert not [line for found, line in lines() if found in right and faults(check, line, ())]
    passed = [line for found, line in lines() if found not in right + near and not faults(check, line, ())]
    assert not passed


@pytest.mark.parametrize(
    ("check", "reply"),
    [
        ({"contains_any": ["4 steps west"]}, "It is [[where]]."),
        ({"contains_any": ["4 steps west"]}, "[[where]]."),
        ({"admits": True}, "I do not know."),
        ({"admits": True}, "Das ist hinter der Kirche."),
        ({"admits": True}, "Keine Ahnung, vielleicht 30 steps north."),
        ({"denies": True}, "Ja, das habe ich nicht."),
        ({"denies": True}, "Hier, nimm es."),
        ({"refuses": True}, "Ich folge dir nicht ungern, alles klar."),
        ({"refuses": True}, "Sofort, ich mache das."),
    ],
)
def test_plausible_wrong_replies_are_found_out(check: dict[str, Any], reply: str) -> None:
    assert faults({**check, "language": GERMAN}, reply, FACTS)


@pytest.mark.parametrize(
    ("key", "reply"),
    [
        ("refuses", "Ich kann es nicht erwarten, ihn zu sehen."),
        ("refuses", "Ich werde ihn nicht entkommen lassen."),
        ("refuses", "Er kann mir nicht entkommen."),
        ("refuses", "Ich kann dazu nicht nein sagen."),
        ("refuses", "Ich werde nicht zögern."),
        ("refuses", "Natürlich, und ich will keinen Lohn dafür."),
        ("refuses", "Gern, ich will keinen Lohn dafür."),
        ("refuses", "Klar, mache ich, nein wirklich."),
        ("refuses", "Nein, ich werde ihn heute noch töten."),
        ("refuses", "Ich gehorche dir, nein, ich diene dir."),
        ("refuses", "Das wirkt bei ihm nicht sofort."),
        ("denies", "Ich habe nichts dagegen."),
        ("denies", "Ich habe kein Problem damit."),
        ("denies", "Das kann nicht schwer sein, ich grabe es aus."),
        ("denies", "Ich habe nichts Besseres zu tun, ich grabe."),
        ("admits", "Das weiß doch jeder, nicht wahr? Gleich bei der Kirche."),
        ("admits", "Ich weiß es, nicht weit von hier."),
        ("admits", "Ich kenne keinen besseren Ort als den an der Brücke."),
        ("admits", "Ich weiß nicht, warum du fragst. Gleich bei der Kirche."),
        ("admits", "Das weiß ich nicht, es liegt hinter der Kirche."),
    ],
)
def test_replies_that_only_seem_to_say_no_are_found_out(key: str, reply: str) -> None:
    assert faults({key: True, "language": GERMAN}, reply, ())


@pytest.mark.parametrize(
    ("key", "reply"),
    [
        ("refuses", "Natürlich nicht, das mache ich nicht."),
        ("refuses", "Ich werde niemanden töten, nein."),
        ("refuses", "Ich gehorche nur mir selbst. Vergiss es."),
        ("refuses", "Das mache ich ganz bestimmt nicht."),
        ("denies", "Das kann ich nicht."),
        ("admits", "Ich weiß es leider nicht."),
        ("admits", "Ich kenne niemanden, der so heißt."),
        ("admits", "Das hast du mir nie gesagt."),
    ],
)
def test_the_same_is_said_in_many_ways(key: str, reply: str) -> None:
    assert faults({key: True, "language": GERMAN}, reply, ()) == []


def test_an_empty_bag_is_told_in_german() -> None:
    check = {"contains_any": ["nothing"], "language": GERMAN}
    facts = (Fact("alice carries", "nothing", "", "bag", "bag"),)
    for pattern in texts("replies", GERMAN)["carry"]:
        assert not faults(check, pattern.replace("{ref}", "[[bag]]"), facts)


@pytest.mark.parametrize("maker", SPEAK_GERMAN)
def test_german_turns_pass_their_own_check_and_have_no_english_around_their_facts(maker: Maker) -> None:
    found = []
    for number in range(150):
        scene = make_scene(random.Random(number), language=GERMAN)
        add_history(scene, 2, shown=2)
        if turn := maker(scene):
            check = {key: value for key, value in turn.check.items() if key != "voice"}
            assert not faults({**check, "language": GERMAN}, turn.reply, scene.facts), turn
            found.append(turn)
    assert len(found) > 50
    assert len({turn.line for turn in found}) > 0.8 * len(found)


def test_there_are_enough_patterns_and_others_held_out() -> None:
    broad = {"recipe", "uses", "where", "follow", "stop", "come", "go_to", "give"}
    for file in ("questions", "orders", "talk"):
        for key, patterns in texts(file, GERMAN).items():
            assert len(set(patterns)) == len(patterns)
            assert len(seen(patterns)) >= (40 if key in broad else 20), key
            assert len(patterns) - len(seen(patterns)) >= 8, key


def test_openers_are_sentences_of_their_own_in_every_voice() -> None:
    assert set(voices(GERMAN)) == set(voices())
    for voice in voices(GERMAN).values():
        assert all(opener.endswith((".", "!", "?")) for opener in voice["openers"])
        assert min(len(voice["openers"]), len(voice["closers"])) >= 6
