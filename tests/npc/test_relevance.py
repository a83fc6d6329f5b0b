"""A prompt holds what is always told, and what the line names; of each kind the first has the plain tag."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.relevance import choose, stem

TIME = Fact("time", "noon, 12:00", "time", "time", "time", "around")
WORK = Fact("you", "the baker", "the baker", "work", "work", "untold")
MINE = Fact("coal mine", "9 steps west", "coal mine", "place:coal mine")
MILL = Fact("old mill", "3 steps east", "old mill", "place:old mill")
BOB = Fact("bob (player)", "4 steps west", "bob", "player:bob")
COAL = Fact("coal", "9 dust", "coal", "recipe:coal")
COAL_USES = Fact("coal", "torch", "coal", "uses:coal")
CARRY_COAL = Fact("coal", "5", "coal", "carry:coal")
FAIR = Fact("the winter fair", "it opens on the first snow", "the winter fair", "knows:the winter fair")
CAT = Fact("by the player", "my cat is called Momo", "player", "said:1")
NICK = Fact("by the player", "they call me Nox", "player", "said:2")
EVERYTHING = [TIME, WORK, MINE, MILL, BOB, COAL, COAL_USES, CARRY_COAL, FAIR, CAT, NICK]


def named(line: str, limit: int = 8) -> dict[str, str]:
    """Source by tag of what the line names."""
    return {fact.tag: fact.source for fact in choose(line, EVERYTHING, limit) if fact.block == "asked"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hello", {}),
        ("where is the coal mine", {"where": "place:coal mine", "recipe": "recipe:coal"}),
        ("which way to the mill?", {"where": "place:old mill"}),
        ("WHERE IS BOB", {"where": "player:bob"}),
        ("bob, mill?", {"where": "player:bob", "where2": "place:old mill"}),
        ("bob, old mill?", {"where": "place:old mill", "where2": "player:bob"}),
        ("old mill or coal mine", {"where": "place:coal mine", "where2": "place:old mill"}),
        ("coal mine or old mill", {"where": "place:old mill", "where2": "place:coal mine"}),
        ("give me coal", {"recipe": "recipe:coal", "uses": "uses:coal", "carry": "carry:coal"}),
        ("when is the winter fair", {"news": "knows:the winter fair"}),
        ("what is my cat called?", {"told": "said:1"}),
        ("what do they call me", {"told": "said:2"}),
        ("where is the cat", {}),
        ("how do i reach the cole mine", {"where": "place:coal mine"}),
    ],
)
def test_a_line_finds_what_it_names(line: str, found: dict[str, str]) -> None:
    assert named(line).items() >= found.items()
    assert bool(named(line)) == bool(found)


def test_what_is_always_told_is_told_first_with_its_tag() -> None:
    assert choose("hello", EVERYTHING, 8) == [TIME, WORK]


def test_a_recipe_needs_its_whole_name() -> None:
    steel = Fact("steel pickaxe", "3 steel", "steel pickaxe", "recipe:steel pickaxe")
    assert not choose("how do I make steel", [steel], 8)


def test_a_slip_of_the_fingers_in_a_name_is_forgiven() -> None:
    lighthouse = Fact("lighthouse", "9 steps north", "lighthouse", "place:lighthouse")
    found = choose("wheres the lihgthouse", [MILL, lighthouse], 8)
    assert found == [replace(lighthouse, tag="where")]


def test_the_limit_leaves_out_what_is_named_least() -> None:
    assert named("coal mine", limit=1) == {"where": "place:coal mine"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ich heiße Nox", True),
        ("mein Name ist Nox", True),
        ("nenn mich Nox", True),
        ("ich will nicht mehr warten", False),
        ("mir ist kalt", False),
    ],
)
@pytest.mark.parametrize(
    "question", ["wie heiße ich?", "wie heisse ich", "kennst du meinen Namen?", "wer bin ich?"]
)
def test_a_name_told_in_german_is_found_again(line: str, told: bool, question: str) -> None:
    fact = Fact("by the player", line, "player", "said:1")
    assert choose(question, [fact], 8) == ([replace(fact, tag="told")] if told else [])


@given(st.text(max_size=60), st.integers(0, 12))
def test_any_line_gives_few_facts_and_no_tag_twice(line: str, limit: int) -> None:
    chosen = choose(line, EVERYTHING, limit)
    assert len(chosen) <= limit + 2
    assert len({fact.tag for fact in chosen}) == len(chosen)
    assert chosen[:2] == [TIME, WORK]


def test_singular_and_plural_share_a_stem() -> None:
    for one, many in (
        ("torch", "torches"),
        ("pickaxe", "pickaxes"),
        ("berry", "berries"),
        ("glass", "glass"),
        ("dog", "dog's"),
    ):
        assert stem(one) == stem(many)
