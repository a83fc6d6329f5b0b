from __future__ import annotations

import random
import re

import pytest

from learner.base.grammar import ENGLISH, GERMAN, load, load_tables, parse, seen, spell, texts, unseen, voices

PLAYER_FILES = ("questions", "talk", "orders")


def test_alternatives_slots_and_spaces() -> None:
    spoken = {
        spell("(go|walk) (to |){place} ( please|), now", random.Random(n), {"place": "(a|b)"})
        for n in range(99)
    }
    assert spoken == {
        f"{verb} {to}(a|b){please}, now"
        for verb in ("go", "walk")
        for to in ("to ", "")
        for please in ("", " please")
    }


def test_a_backslash_keeps_a_sign() -> None:
    assert spell(r"\(x\|y\)", random.Random(1), {}) == "(x|y)"


def test_a_slot_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        spell("{nothing}", random.Random(1), {})


@pytest.mark.parametrize("pattern", ["(a|b", "a)b|c(", "((a)"])
def test_open_brackets_are_an_error(pattern: str) -> None:
    with pytest.raises(ValueError, match="unbalanced"):
        parse(pattern)


def test_seen_and_unseen_wordings_are_apart() -> None:
    for file in PLAYER_FILES:
        for key, patterns in load(file).items():
            assert seen(patterns), key
            assert not set(seen(patterns)) & set(unseen(patterns)) or not any(p[0] == "~" for p in patterns)
    assert all(any(p[0] == "~" for p in patterns) for patterns in load("questions").values())


def test_every_pattern_can_be_spelled() -> None:
    files = (*PLAYER_FILES, "replies")
    english = [*(load(file) for file in files), *voices().values()]
    german = [*(texts(file, GERMAN) for file in files), *voices(GERMAN).values()]
    for text in english + german:
        for patterns in text.values():
            for pattern in patterns:
                slots = {name.split("}")[0]: "x" for name in pattern.split("{")[1:]}
                for number in range(5):
                    spoken = spell(pattern, random.Random(number), slots)
                    assert spoken
                    assert spoken == spoken.strip()
                    assert "  " not in spoken
                    assert "~" not in spoken


def test_all_voices_have_a_line_for_every_occasion() -> None:
    assert len(voices()) >= 8
    occasions = {frozenset(voice) for voice in voices().values()}
    assert len(occasions) == 1
    for voice in voices().values():
        assert all(len(lines) >= 2 for lines in voice.values())


def test_names_seen_and_unseen_are_apart() -> None:
    for file in ("names", "people"):
        for table in load_tables(file).values():
            assert not set(table["seen"]) & set(table["unseen"])


@pytest.mark.parametrize("language", [ENGLISH, GERMAN])
def test_training_never_draws_a_held_out_wording(language: str) -> None:
    rng = random.Random(3)
    for file in PLAYER_FILES:
        for key, patterns in texts(file, language).items():
            kept = {_spelt(pattern, rng) for pattern in unseen(patterns) for _ in range(20)}
            drawn = {_spelt(pattern, rng) for pattern in seen(patterns) for _ in range(20)}
            held_out = unseen(patterns) != seen(patterns)
            assert not held_out or kept.isdisjoint(drawn), (file, key, kept & drawn)


def _spelt(pattern: str, rng: random.Random) -> str:
    slots = {name: name for name in re.findall(r"\{(\w+)\}", pattern)}
    return spell(pattern, rng, slots).lower().strip("?.! ")
