from agent_runtime.bridge.parts import Near, Recipe, Snapshot
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.world import bag_fact, facts_for, near_text, recipe_text, time_text
from tests.support.town import CATALOGUE, MIRA, SNAPSHOT, changed

KNOWN = facts_known(MIRA, "alice", [])


def texts(line: str, limit: int = 12) -> list[str]:
    """What the line names."""
    facts = facts_for(line, KNOWN, SNAPSHOT, CATALOGUE, limit)
    return [f"{fact.tag} {fact.label}: {fact.value}" for fact in facts if fact.block == "asked"]


def around(snapshot: Snapshot = SNAPSHOT) -> dict[str, str]:
    """What is always told."""
    facts = facts_for("hello", KNOWN, snapshot, CATALOGUE, 8)
    return {fact.tag: fact.value for fact in facts if fact.block == "around"}


def test_a_recipe_is_told_complete() -> None:
    assert "recipe torch: 1 coal lump and 1 stick (makes 4)" in texts("how do I make a torch?")
    assert "recipe steel pickaxe: 3 steel ingot and 2 stick" in texts("How are STEEL PICKAXES made")
    assert "recipe steel ingot: iron lump smelted in a furnace" in texts("steel ingot please")


def test_an_item_without_a_recipe_says_so() -> None:
    assert "found iron lump: has no recipe; it is dug or found" in texts("how do I craft an iron lump")


def test_what_an_item_is_used_for() -> None:
    assert "uses stick: torch, steel pickaxe" in texts("what is a stick used for")


def test_an_unknown_item_brings_nothing() -> None:
    assert not texts("how do I make a flux capacitor")


def test_a_place_a_player_and_a_mob_are_found_by_name() -> None:
    assert texts("where is the river?") == ["where river: 24 steps north-east"]
    assert texts("where is bob?") == ["where bob (player): 4 steps west"]
    assert texts("the sheep!") == ["where sheep (mob): 12 steps north"]


def test_how_many_it_carries_is_told_of_what_is_named() -> None:
    assert "carry torch: 5" in texts("give me a torch")
    assert "lacks chest: none" in texts("do you have a chest")


def test_what_is_around_is_always_told() -> None:
    assert around() == {
        "time": "evening, 18:40",
        "ground": "apple wood planks, grassland",
        "holds": "steel pickaxe",
        "doing": "standing",
        "near": "bob 4 steps west, Brom 60 steps south and a sheep 12 steps north",
        "bag": "5 torch and 2 stick",
        "player": "alice",
    }


def test_an_empty_world_still_has_facts() -> None:
    bare = changed(near=(), held="", surface="", biome="", inventory=())
    assert around(bare) == {
        "time": "evening, 18:40",
        "holds": "nothing",
        "doing": "standing",
        "near": "nobody else",
        "bag": "nothing",
        "player": "alice",
    }


def test_a_full_bag_is_told_in_short() -> None:
    assert bag_fact([(name, 1) for name in "abcdef"]).value == "1 a, 1 b, 1 c, 1 d and more"


def test_a_mistyped_item_is_found() -> None:
    assert texts("how do i make a torhc")[0].startswith("recipe torch")


def test_the_limit_leaves_out_the_least_relevant() -> None:
    assert texts("where is the river, bob?", limit=1) == ["where river: 24 steps north-east"]


def test_every_fact_knows_its_source() -> None:
    sources = {fact.source for fact in facts_for("torch? river? bob?", KNOWN, SNAPSHOT, CATALOGUE, 20)}
    assert {"recipe:default:torch", "place:river", "player:bob", "time"} <= sources


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
