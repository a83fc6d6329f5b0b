from agent_runtime.npc.prompt import Exchange, Fact, expand, render, requoted, shortened, template_hash
from tests.support.town import MIRA

FACTS = [Fact("time", "noon, 12:00", "time", "time", "time", "around")]


def test_stable_text_comes_first_and_the_line_last() -> None:
    first = render(MIRA, [], FACTS, "alice", "where is the river?")
    later = render(MIRA, [Exchange("hi", "Hello, alice.")], [], "alice", "thanks")
    assert first[0] == later[0]
    assert first[-1].content == "Around you: [time] noon, 12:00\nalice: where is the river?"
    assert [m.role for m in later] == ["system", "user", "assistant", "user"]
    assert later[1].content == "alice: hi"


def test_what_was_asked_for_stands_next_to_the_line() -> None:
    asked = Fact("mill", "here", "mill", "place:mill", "where")
    untold = Fact("you", "the baker", "the baker", "work", "work", "untold")
    content = render(MIRA, [], [*FACTS, asked, untold], "alice", "the mill?")[-1].content
    assert content == "Around you: [time] noon, 12:00\n[where] mill: here\nalice: the mill?"


def test_shouted_words_are_the_same_words() -> None:
    said = render(MIRA, [Exchange("HELLO!", "Hi.")], [], "ALICE", "FOLLOW ME, MIRA")
    assert (said[1].content, said[-1].content) == ("ALICE: hello!", "ALICE: follow me, mira")
    assert render(MIRA, [], [], "alice", "Go to the OLD mill")[-1].content == "alice: Go to the OLD mill"


def test_expand_quotes_only_facts_that_are_there() -> None:
    assert expand("[[time]] and [[where]] and [[X]]", FACTS) == "noon, 12:00 and something and [[X]]"


def test_values_that_stand_word_for_word_become_tags_again() -> None:
    facts = [
        Fact("torch", "1 coal lump", "torch", "recipe:torch", "recipe"),
        Fact("oven", "1 coal lump and 8 stone", "oven", "recipe:oven", "recipe2"),
        Fact("you", "1 coal lump", "you", "bag", "bag"),
        Fact("you", "", "you", "fear", "fear"),
    ]
    text = "1 coal lump and 8 stone, or 1 coal lump, never 1 coal lumps."
    assert requoted(text, facts) == "[[recipe2]], or [[recipe]], never 1 coal lumps."
    assert expand(requoted(text, facts), facts) == text
    assert requoted(text, []) == text


def test_the_wording_has_a_stable_name() -> None:
    assert template_hash() == template_hash()
    assert len(template_hash()) == 12


def test_a_talk_that_is_too_long_loses_its_oldest_exchange() -> None:
    talk = [Exchange("hi", "Hello."), Exchange("how are you?", "Well.")]
    once = shortened(render(MIRA, talk, FACTS, "alice", "thanks"))
    assert once == render(MIRA, talk[1:], FACTS, "alice", "thanks")
    assert shortened(once) == render(MIRA, [], FACTS, "alice", "thanks")
    assert shortened(render(MIRA, [], FACTS, "alice", "thanks")) is None
