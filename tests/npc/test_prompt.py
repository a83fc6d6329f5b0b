from dataclasses import replace

from agent_runtime.npc.prompt import Exchange, Fact, expand, render, template_hash
from tests.support.town import MIRA

FACTS = [Fact("river", "24 steps north-east", "river", "place:river")]


def test_stable_text_comes_first_and_the_line_last() -> None:
    first = render(MIRA, [], FACTS, "alice", "where is the river?")
    later = render(MIRA, [Exchange("hi", "Hello, alice.")], [], "alice", "thanks")
    assert first[0] == later[0]
    assert first[-1].content == "Around you: river: 24 steps north-east\nalice: where is the river?"
    assert [m.role for m in later] == ["system", "user", "assistant", "user"]
    assert later[1].content == "alice: hi"


def test_what_was_asked_for_stands_next_to_the_line_and_has_a_number() -> None:
    asked = Fact("mill", "here", "mill", "place:mill", asked=True)
    content = render(MIRA, [], [asked, *FACTS], "alice", "the mill?")[-1].content
    assert content == "Around you: river: 24 steps north-east\n[1] mill: here\nalice: the mill?"


def test_expand_quotes_only_facts_that_have_a_number() -> None:
    assert expand("[[1]]", FACTS) == "something"
    asked = [replace(FACTS[0], asked=True)]
    assert expand("[[1]] and [[2]] and [[x]]", asked) == "24 steps north-east and something and [[x]]"


def test_the_wording_has_a_stable_name() -> None:
    assert template_hash() == template_hash()
    assert len(template_hash()) == 12
