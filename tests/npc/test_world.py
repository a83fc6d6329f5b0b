from agent_runtime.bridge.parts import Near, Recipe
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.world import bag_fact, facts_for, near_text, recipe_text, time_text
from tests.support.town import CATALOGUE, MIRA, SNAPSHOT, changed

KNOWN = facts_known(MIRA, "alice", [])


def texts(line: str, limit: int = 12) -> list[str]:
    return [f"{f.label}: {f.value}" for f in facts_for(line, KNOWN, SNAPSHOT, CATALOGUE, limit)]


def test_a_recipe_that_is_asked_for_comes_first_and_complete() -> None:
    assert texts("how do I make a torch?")[0] == "torch recipe: 1 coal lump and 1 stick (makes 4)"
    assert texts("How are STEEL PICKAXES made")[0] == "steel pickaxe recipe: 3 steel ingot and 2 stick"
    assert texts("steel ingot please")[0] == "steel ingot recipe: iron lump smelted in a furnace"


def test_an_item_without_a_recipe_says_so() -> None:
    assert texts("how do I craft an iron lump")[0] == "iron lump: has no recipe; it is dug or found"


def test_what_an_item_is_used_for() -> None:
    assert texts("what is a stick used for")[0] == "stick is used in: torch, steel pickaxe"


def test_an_unknown_item_brings_no_crafting_fact() -> None:
    assert not [text for text in texts("how do I make a flux capacitor") if "recipe" in text]


def test_a_place_that_is_named_comes_before_what_is_always_told() -> None:
    lines = texts("where is the river?")
    assert lines[0] == "river: 24 steps north-east"
    assert "time: evening, 18:40" in lines
    assert "player holds: steel pickaxe" in lines


def test_who_is_near_is_told_when_asked() -> None:
    assert (
        texts("anyone near?")[0] == "near: bob 4 steps west, Brom 60 steps south and a sheep 12 steps north"
    )
    assert texts("where is bob?")[0] == "bob (player): 4 steps west"
    assert not [text for text in texts("hello") if text.startswith(("near", "bob"))]


def test_what_it_carries_is_told_when_asked_to_give() -> None:
    assert texts("give me a torch")[0] == "you carry torch: 5"
    assert texts("do you have a chest")[0] == "you carry chest: none"
    assert texts("what's in your bag")[0] == "you carry: 5 torch and 2 stick"
    assert not [text for text in texts("hello") if text.startswith("you carry")]


def test_a_full_bag_is_told_in_short() -> None:
    assert bag_fact([(name, 1) for name in "abcdef"]).value == "1 a, 1 b, 1 c, 1 d and more"
    assert bag_fact([]).value == "nothing"


def test_a_mistyped_item_is_found() -> None:
    assert texts("how do i make a torhc")[0].startswith("torch recipe")


def test_the_limit_leaves_out_the_least_relevant_first() -> None:
    assert texts("where is the river, bob?", limit=1)[:2] == [
        "river: 24 steps north-east",
        "time: evening, 18:40",
    ]


def test_every_fact_knows_its_source() -> None:
    sources = {fact.source for fact in facts_for("torch? river? bob?", KNOWN, SNAPSHOT, CATALOGUE, 20)}
    assert {"recipe:default:torch", "place:river", "player:bob", "time"} <= sources


def test_an_empty_world_still_has_facts() -> None:
    bare = changed(near=(), held="", surface="", biome="", inventory=())
    facts = facts_for("hello", KNOWN, bare, CATALOGUE, 10)
    assert [fact.label for fact in facts] == ["time", "player holds", "you are"]


def test_distances_and_times_as_words() -> None:
    assert near_text(Near("place", "mill", 1.2, "west")) == "here"
    assert near_text(Near("place", "mine", 9, "west", "below")) == "9 steps west, below"
    assert near_text(Near("place", "mine", 9, "below", "below")) == "9 steps below"
    assert [time_text(t) for t in (0, 0.2, 0.3, 0.5, 0.6, 0.999, 1)] == [
        "night, 00:00",
        "early morning, 04:48",
        "morning, 07:12",
        "noon, 12:00",
        "afternoon, 14:24",
        "night, 23:59",
        "night, 00:00",
    ]


def test_a_recipe_without_inputs_is_not_an_error() -> None:
    assert recipe_text(Recipe("x:y", 1, "normal", ()), CATALOGUE) == "nothing"
    assert recipe_text(Recipe("x:y", 1, "cooking", ()), CATALOGUE) == "nothing smelted in a furnace"
