"""What is true right now, as facts a reply can quote: a snapshot, the game's catalogue and the
player's line come in; a short list of facts goes out, the most relevant first.
"""

from __future__ import annotations

from collections import Counter

from agent_runtime.bridge.messages import Near, Recipe, Snapshot
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.relevance import choose

MAX_USES = 3
MAX_ALTERNATIVES = 2
_HERE = 2.0
_KINDS = {"player": "player", "mob": "mob", "npc": "townsperson"}
_TIMES = (
    (4.5, "night"),
    (6.0, "early morning"),
    (11.0, "morning"),
    (13.0, "noon"),
    (17.5, "afternoon"),
    (21.0, "evening"),
    (24.0, "night"),
)


def facts_for(line: str, player: str, snapshot: Snapshot, catalogue: Catalogue, limit: int) -> list[Fact]:
    """The facts for one line, at most `limit`, the most relevant first."""
    candidates = [
        *_situation(player, snapshot, catalogue),
        *_surroundings(snapshot),
        *_carried(snapshot, catalogue),
        *_crafting(line, catalogue),
    ]
    return choose(line, candidates, limit)


def _situation(player: str, snapshot: Snapshot, catalogue: Catalogue) -> list[Fact]:
    held = catalogue.name_of(snapshot.held) if snapshot.held else "nothing"
    facts = [Fact("time", time_text(snapshot.time_of_day), "time", "time")]
    ground = [catalogue.name_of(snapshot.surface)] if snapshot.surface else []
    ground += [snapshot.biome.replace("_", " ").lower()] if snapshot.biome else []
    if ground:
        facts.append(Fact("ground", ", ".join(ground), "ground", f"ground:{snapshot.surface}"))
    facts.append(Fact(f"{player} holds", held, snapshot.held or "nothing", f"holds:{snapshot.held}"))
    facts.append(Fact("you are", snapshot.doing or "standing", "you", "state"))
    if snapshot.weather:
        facts.append(Fact("weather", snapshot.weather, "weather", "weather"))
    return facts


def _surroundings(snapshot: Snapshot) -> list[Fact]:
    return [
        Fact(_near_label(near), near_text(near), near.name, f"{near.kind}:{near.name}")
        for near in sorted(snapshot.near, key=lambda near: near.distance)
    ]


def _near_label(near: Near) -> str:
    return near.name if near.kind == "place" else f"{near.name} ({_KINDS[near.kind]})"


def _carried(snapshot: Snapshot, catalogue: Catalogue) -> list[Fact]:
    return [
        Fact(
            f"you carry {catalogue.name_of(stack.item)}", str(stack.count), stack.item, f"carry:{stack.item}"
        )
        for stack in snapshot.inventory
        if stack.count
    ]


def _crafting(line: str, catalogue: Catalogue) -> list[Fact]:
    facts: list[Fact] = []
    for mention in catalogue.mentions(line):
        item, name = mention.item, catalogue.name_of(mention.item)
        uses = catalogue.uses(item)
        if uses:
            facts.append(Fact(f"{name} is used in", _uses_text(uses, catalogue), item, f"uses:{item}"))
        recipes = catalogue.recipes(item)[:MAX_ALTERNATIVES]
        for recipe in recipes:
            facts.append(Fact(f"{name} recipe", recipe_text(recipe, catalogue), item, f"recipe:{item}"))
        if not recipes:
            facts.append(Fact(name, "has no recipe; it is dug or found", item, f"norecipe:{item}"))
    return facts


def _uses_text(uses: list[str], catalogue: Catalogue) -> str:
    names = ", ".join(catalogue.name_of(use) for use in uses[:MAX_USES])
    return f"{names} and {len(uses) - MAX_USES} more" if len(uses) > MAX_USES else names


def recipe_text(recipe: Recipe, catalogue: Catalogue) -> str:
    """`1 coal lump and 1 stick (makes 4)`, or `iron lump smelted in a furnace`."""
    if recipe.method == "cooking":
        return f"{catalogue.name_of(recipe.inputs[0]) if recipe.inputs else 'nothing'} smelted in a furnace"
    counted = Counter(catalogue.name_of(item) for item in recipe.inputs if item)
    parts = [f"{count} {name}" for name, count in counted.items()]
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "nothing"
    return f"{text} (makes {recipe.count})" if recipe.count > 1 else text


def near_text(near: Near) -> str:
    """`24 steps north-east`, `3 steps west, above`, or `here`."""
    if near.distance < _HERE or near.direction == "here":
        return "here"
    text = f"{round(near.distance)} steps {near.direction}"
    return f"{text}, {near.vertical}" if near.vertical and near.vertical != near.direction else text


def time_text(time_of_day: float) -> str:
    """`evening, 18:40` for 0.778."""
    minutes = round(time_of_day * 24 * 60) % (24 * 60)
    name = next(name for end, name in _TIMES if minutes / 60 < end)
    return f"{name}, {minutes // 60:02}:{minutes % 60:02}"
