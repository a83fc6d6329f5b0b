"""A small town for tests: one persona, one game's catalogue, one moment in the world."""

from __future__ import annotations

import msgspec

from agent_runtime.bridge.parts import Item, ItemCount, Near, Position, Recipe, Snapshot
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.persona import Canned, Persona

MIRA = Persona(
    id="mira",
    name="Mira",
    role="the baker",
    voice="warm",
    about="Mira fears the dark and loves poppy seeds.",
    canned=Canned(late=("Ask me once more?",), busy=("One moment, please.",), slow_down=("Slowly, friend.",)),
)

ITEMS = (
    Item("default:torch", "Torch", {"torch": 1}),
    Item("default:coal_lump", "Coal Lump", {"coal": 1}),
    Item("default:stick", "Stick", {"stick": 1}),
    Item("default:iron_lump", "Iron Lump"),
    Item("default:steel_ingot", "Steel Ingot"),
    Item("default:pick_steel", "Steel Pickaxe"),
    Item("default:wood", "Apple Wood Planks", {"wood": 1}),
    Item("default:chest", "Chest\nStores things"),
)
RECIPES = (
    Recipe("default:torch", 4, "normal", ("default:coal_lump", "default:stick")),
    Recipe("default:steel_ingot", 1, "cooking", ("default:iron_lump",)),
    Recipe("default:pick_steel", 1, "normal", ("default:steel_ingot",) * 3 + ("group:stick",) * 2),
    Recipe("default:chest", 1, "normal", ("group:wood",) * 8),
    Recipe("default:coal_lump", 1, "fuel", ()),
)
CATALOGUE = Catalogue(ITEMS, RECIPES)

SNAPSHOT = Snapshot(
    taken=100.0,
    time_of_day=0.778,
    npc_pos=Position(0, 8, 0),
    player_pos=Position(3, 8, 0),
    biome="grassland",
    surface="default:wood",
    held="default:pick_steel",
    near=(
        Near("place", "river", 24.3, "north-east"),
        Near("player", "bob", 4.2, "west"),
        Near("mob", "sheep", 12.0, "north"),
        Near("npc", "Brom", 60.0, "south"),
    ),
    inventory=(ItemCount("default:torch", 5), ItemCount("default:stick", 2)),
)


def changed(snapshot: Snapshot = SNAPSHOT, **fields: object) -> Snapshot:
    """The snapshot with some fields replaced."""
    return msgspec.structs.replace(snapshot, **fields)
