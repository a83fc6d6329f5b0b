from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.relevance import choose, stem

TIME = Fact("time", "noon, 12:00", "time", "time")
HOLDS = Fact("player holds", "stone", "stone", "holds:stone")
MINE = Fact("coal mine", "9 steps west", "coal mine", "place:coal mine")
MILL = Fact("old mill", "3 steps east", "old mill", "place:old mill")
BOB = Fact("bob (player)", "4 steps west", "bob", "player:bob")
SHEEP = Fact("sheep (mob)", "8 steps west", "sheep", "mob:sheep")
COAL = Fact("coal recipe", "9 dust", "coal", "recipe:coal")
COAL_USES = Fact("coal is used in", "torch", "coal", "uses:coal")
CARRY_COAL = Fact("you carry coal", "5", "coal", "carry:coal")
CARRY_BREAD = Fact("you carry bread", "2", "bread", "carry:bread")
NEAR = Fact("near", "bob 4 steps west and a sheep 8 steps west", "near", "near")
BAG = Fact("you carry", "5 coal and 2 bread", "bag", "bag")
NAME = Fact("your name", "Mira", "Mira", "self:name")
WORK = Fact("your work", "the baker", "the baker", "work")
PLAYER = Fact("player's name", "alice", "alice", "player's name")
FAIR = Fact("the winter fair", "it opens on the first snow", "the winter fair", "knows:the winter fair")
CAT = Fact("player said before", "my cat is called Momo", "player", "said:1")
NICK = Fact("player said before", "they call me Nox", "player", "said:2")
EVERYTHING = [
    *(TIME, HOLDS, MINE, MILL, BOB, SHEEP, COAL, COAL_USES, CARRY_COAL, CARRY_BREAD),
    *(NEAR, BAG, NAME, WORK, PLAYER, FAIR, CAT, NICK),
]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("how do I make coal", COAL),
        ("what is coal used for", COAL_USES),
        ("what is coal for?", COAL_USES),
        ("what can I make from coal", COAL_USES),
        ("what do I need for coal", COAL),
        ("coal?", COAL),
        ("give me some coal", CARRY_COAL),
        ("where is the coal mine", MINE),
        ("which way to the mill?", MILL),
        ("WHERE IS BOB", BOB),
        ("what time is it", TIME),
        ("what am I holding", HOLDS),
        ("anyone nearby?", NEAR),
        ("what is in your bag", BAG),
        ("introduce yourself", NAME),
        ("what is your profession", WORK),
        ("when is the winter fair", FAIR),
        ("what is my cat called?", CAT),
        ("where is the col mine", MINE),
        ("where is the cole mine", MINE),
    ],
)
def test_what_is_asked_for_is_number_one(line: str, first: Fact) -> None:
    assert choose(line, EVERYTHING, 10)[0] == replace(first, asked=True)


def test_a_name_told_before_is_found_beside_the_name_that_is_known() -> None:
    asked = [fact.source for fact in choose("what is my name", EVERYTHING, 10) if fact.asked]
    assert set(asked[:4]) == {"player's name", "self:name", "said:2", "said:1"}


def test_what_was_told_is_not_dug_out_for_others() -> None:
    assert all(fact.source != "said:1" for fact in choose("where is the cat", EVERYTHING, 10))


def test_a_greeting_asks_for_nothing() -> None:
    assert choose("hello", EVERYTHING, 6) == [TIME, HOLDS]


def test_what_is_always_told_is_told_even_when_asked_for() -> None:
    assert choose("what time is it", EVERYTHING, 6) == [replace(TIME, asked=True), TIME, HOLDS]


def test_a_slip_of_the_fingers_in_a_name_is_forgiven() -> None:
    lighthouse = Fact("lighthouse", "9 steps north", "lighthouse", "place:lighthouse")
    assert choose("wheres the lihgthouse", [MILL, lighthouse], 10)[0].subject == "lighthouse"


def test_a_recipe_needs_its_whole_name() -> None:
    steel = Fact("steel pickaxe recipe", "3 steel", "steel pickaxe", "recipe:steel pickaxe")
    assert not choose("how do I make steel", [steel], 6)


@given(st.text(max_size=60), st.integers(0, 12))
def test_any_line_gives_few_facts_and_none_twice(line: str, limit: int) -> None:
    chosen = choose(line, EVERYTHING, limit)
    asked = [fact for fact in chosen if fact.asked]
    assert len(asked) <= limit
    assert len({fact.source for fact in asked}) == len(asked)
    assert chosen[len(asked) :] == [TIME, HOLDS]


def test_singular_and_plural_share_a_stem() -> None:
    for one, many in (
        ("torch", "torches"),
        ("pickaxe", "pickaxes"),
        ("berry", "berries"),
        ("glass", "glass"),
        ("dog", "dog's"),
    ):
        assert stem(one) == stem(many)
