from pathlib import Path

from agent_runtime.bridge.messages import Knowledge
from agent_runtime.bridge.parts import Item, Recipe
from agent_runtime.npc.catalogue import Catalogue, CatalogueStore
from tests.support.town import CATALOGUE, ITEMS, RECIPES

DIGEST = "a" * 40


def test_the_longest_name_wins() -> None:
    assert [m.item for m in CATALOGUE.mentions("I want a steel pickaxe and steel ingots!")] == [
        "default:pick_steel",
        "default:steel_ingot",
    ]


def test_names_are_found_in_any_case_and_number() -> None:
    assert CATALOGUE.find("TORCHES") == "default:torch"
    assert CATALOGUE.find("default:torch") == "default:torch"
    assert CATALOGUE.find("nonsense") is None


def test_names_as_players_read_them() -> None:
    assert CATALOGUE.name_of("default:chest") == "chest"
    assert CATALOGUE.name_of("mod:odd_thing") == "odd thing"


def test_a_group_goes_by_its_only_item_or_by_its_own_name() -> None:
    assert CATALOGUE.name_of("group:wood") == "apple wood planks"
    two = Catalogue([*ITEMS, Item("x:plank", "Plank", {"wood": 1, "fine": 1})], RECIPES)
    assert two.name_of("group:wood") == "wood (any kind)"
    assert two.name_of("group:wood,fine") == "plank"
    assert two.name_of("group:wool,color_red") == "wool color red (any kind)"


def test_fuel_is_no_recipe_and_duplicates_count_once() -> None:
    twice = Catalogue(ITEMS, [*RECIPES, RECIPES[0]])
    assert len(twice.recipes("default:torch")) == 1
    assert twice.recipes("default:coal_lump") == []


def test_uses_reach_through_groups() -> None:
    assert CATALOGUE.uses("default:wood") == ["default:chest"]


def test_parts_in_any_order_make_one_catalogue_that_outlives_a_restart(tmp_path: Path) -> None:
    store = CatalogueStore(tmp_path)
    assert store.get(DIGEST) is None
    second = Knowledge(DIGEST, 2, 2, recipes=RECIPES)
    assert store.add(second) is None
    assert store.get(DIGEST) is None
    assert store.add(Knowledge(DIGEST, 1, 2, items=ITEMS)) is not None
    again = CatalogueStore(tmp_path).get(DIGEST)
    assert again is not None
    assert again.find("torch") == "default:torch"
    assert again.recipes("default:torch")[0].count == 4


def test_one_that_finds_no_room_on_the_disk_is_known_while_this_runs(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the way")
    store = CatalogueStore(tmp_path / "folder")
    assert store.add(Knowledge(DIGEST, 1, 1, items=ITEMS)) is not None
    assert store.get(DIGEST) is not None


def test_a_damaged_file_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / f"{DIGEST}.msgpack").write_bytes(b"\xc1broken")
    assert CatalogueStore(tmp_path).get(DIGEST) is None


def test_items_without_a_description_are_left_out() -> None:
    assert Catalogue([Item("air", "  ")], [Recipe("air", 1, "normal", ())]).find("air") is None
