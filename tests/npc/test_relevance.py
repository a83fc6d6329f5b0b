import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.relevance import RELEVANT, choose, stem

TIME = Fact("time", "noon, 12:00", "time", "time")
HOLDS = Fact("alice holds", "stone", "stone", "holds:stone")
MINE = Fact("coal mine", "9 steps west", "coal mine", "place:coal mine")
MILL = Fact("old mill", "3 steps east", "old mill", "place:old mill")
BOB = Fact("bob (player)", "4 steps west", "bob", "player:bob")
SHEEP = Fact("sheep (mob)", "8 steps west", "sheep", "mob:sheep")
COAL = Fact("coal recipe", "9 dust", "coal", "recipe:coal")
COAL_USES = Fact("coal is used in", "torch", "coal", "uses:coal")
CARRY_COAL = Fact("you carry coal", "5", "coal", "carry:coal")
CARRY_BREAD = Fact("you carry bread", "2", "bread", "carry:bread")
EVERYTHING = [TIME, HOLDS, MINE, MILL, BOB, SHEEP, COAL, COAL_USES, CARRY_COAL, CARRY_BREAD]


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
    ],
)
def test_what_is_asked_for_is_number_one(line: str, first: Fact) -> None:
    assert choose(line, EVERYTHING, 10)[0] == first


def test_all_of_a_kind_when_all_are_asked_for() -> None:
    assert choose("who is near", EVERYTHING, 10)[:2] == [BOB, SHEEP]
    assert choose("what is in your bag", EVERYTHING, 10)[:2] == [CARRY_COAL, CARRY_BREAD]


def test_a_greeting_brings_only_what_is_always_told() -> None:
    assert choose("hello", EVERYTHING, 10) == [TIME, HOLDS]


def test_a_recipe_needs_its_whole_name() -> None:
    steel = Fact("steel pickaxe recipe", "3 steel", "steel pickaxe", "recipe:steel pickaxe")
    assert steel not in choose("how do I make steel", [steel], 10)


@given(st.text(max_size=60), st.integers(0, 12))
def test_any_line_gives_few_facts_and_never_one_twice(line: str, limit: int) -> None:
    chosen = choose(line, EVERYTHING, limit)
    assert len(chosen) <= limit
    assert len({fact.source for fact in chosen}) == len(chosen)
    assert len([fact for fact in chosen if fact not in (TIME, HOLDS)]) <= RELEVANT


def test_singular_and_plural_share_a_stem() -> None:
    for one, many in (
        ("torch", "torches"),
        ("pickaxe", "pickaxes"),
        ("berry", "berries"),
        ("glass", "glass"),
    ):
        assert stem(one) == stem(many)
