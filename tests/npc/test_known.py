"""An NPC can tell of itself, of its town and of what was said."""

import msgspec

from agent_runtime.npc.known import MAX_QUOTE, facts_known, quote, tells
from agent_runtime.npc.prompt import Exchange
from tests.support.town import MIRA

TALK = [
    Exchange("hello", "Good day."),
    Exchange("my cat is called Momo", "Noted."),
    Exchange("what is my cat called?", "Momo."),
    Exchange("I live by the river", "A fine place."),
]


def test_a_persona_tells_of_itself_what_its_file_says() -> None:
    persona = msgspec.structs.replace(MIRA, fear="the dark", knows={"the fair": "it opens at dawn"})
    told = {fact.source: fact.value for fact in facts_known(persona, "ann", [])}
    assert told == {
        "self": "Mira",
        "work": "the baker",
        "fear": "the dark",
        "knows:the fair": "it opens at dawn",
        "speaker": "ann",
    }


def test_the_talk_is_told_latest_first_and_without_questions() -> None:
    facts = facts_known(MIRA, "ann", TALK)
    assert [fact.value for fact in facts if fact.source.startswith("said:")] == [
        "I live by the river",
        "my cat is called Momo",
    ]
    last = {fact.source: fact.value for fact in facts if fact.source.startswith("last")}
    assert last == {"last line": "I live by the river", "last reply": "A fine place."}


def test_only_what_is_about_oneself_is_kept() -> None:
    assert tells("call me Nox")
    assert tells("I'm afraid of ghosts")
    assert tells("ich heiße Nox")
    assert tells("mein Bruder wohnt am Fluss")
    assert not tells("wie heiße ich?")
    assert not tells("nice weather")
    assert not tells("do i know you?")


def test_long_words_are_cut_between_words() -> None:
    assert quote("word " * 60).endswith("word ...")
    assert len(quote("word " * 60)) <= MAX_QUOTE + 4
    assert quote("short") == "short"
