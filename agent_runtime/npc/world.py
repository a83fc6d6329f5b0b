"""What is true right now, as facts a reply can quote: a snapshot, the game's catalogue and the
player's line come in; a short list of numbered facts goes out, the most relevant last.
"""

from __future__ import annotations

from collections import Counter

from agent_runtime.bridge.messages import Near, Recipe, Snapshot
from agent_runtime.npc.catalogue import Catalogue, split_words
from agent_runtime.npc.prompt import Fact

MAX_USES = 3
MAX_ALTERNATIVES = 2
_HERE = 2.0
_KINDS = {"player": "player", "mob": "mob", "npc": "townsperson"}
_USE_WORDS = frozenset({"use", "used", "uses", "for", "purpose", "good", "need", "do"})
_CARRY_WORDS = frozenset(
    {"give", "have", "got", "carry", "carrying", "inventory", "spare", "hand", "pass", "share", "lend", "bag"}
)
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
    """The facts for one line: what is always there, what is near, and what the line asks about.

    At most `limit` of them; the least relevant are left out first.
    """
    words = set(split_words(line))
    background = _situation(player, snapshot, catalogue) + _surroundings(snapshot, words, named=False)
    asked = _surroundings(snapshot, words, named=True) + _carried(snapshot, catalogue, words)
    asked += _crafting(line, words, catalogue)
    asked = asked[:limit]
    return background[: limit - len(asked)] + asked


def _situation(player: str, snapshot: Snapshot, catalogue: Catalogue) -> list[Fact]:
    held = catalogue.name_of(snapshot.held) if snapshot.held else "nothing"
    facts = [
        Fact("time", time_text(snapshot.time_of_day), "time", "time"),
        Fact(f"{player} holds", held, snapshot.held or "nothing", f"held:{snapshot.held}"),
        Fact("you are", snapshot.doing or "standing", "self", "doing"),
    ]
    ground = [catalogue.name_of(snapshot.surface)] if snapshot.surface else []
    ground += [snapshot.biome.replace("_", " ").lower()] if snapshot.biome else []
    if ground:
        facts.append(Fact("ground", ", ".join(ground), "ground", f"ground:{snapshot.surface}"))
    if snapshot.weather:
        facts.append(Fact("weather", snapshot.weather, "weather", "weather"))
    return facts


def _surroundings(snapshot: Snapshot, words: set[str], named: bool) -> list[Fact]:
    """Who and what is near: those the line names (`named`), or the others."""
    return [
        Fact(_near_label(near), near_text(near), near.name, f"{near.kind}:{near.name}")
        for near in sorted(snapshot.near, key=lambda near: near.distance)
        if bool(words & set(split_words(near.name))) is named
    ]


def _near_label(near: Near) -> str:
    return near.name if near.kind == "place" else f"{near.name} ({_KINDS[near.kind]})"


def _carried(snapshot: Snapshot, catalogue: Catalogue, words: set[str]) -> list[Fact]:
    if not words & _CARRY_WORDS:
        return []
    return [
        Fact(
            f"you carry {catalogue.name_of(stack.item)}", str(stack.count), stack.item, f"carry:{stack.item}"
        )
        for stack in snapshot.inventory
        if stack.count
    ]


def _crafting(line: str, words: set[str], catalogue: Catalogue) -> list[Fact]:
    facts: list[Fact] = []
    for mention in catalogue.mentions(line):
        name = catalogue.name_of(mention.item)
        uses = catalogue.uses(mention.item)
        if uses and words & _USE_WORDS:
            facts.append(
                Fact(f"{name} is used in", _uses_text(uses, catalogue), mention.item, f"uses:{mention.item}")
            )
        recipes = catalogue.recipes(mention.item)[:MAX_ALTERNATIVES]
        for recipe in recipes:
            facts.append(
                Fact(f"{name} recipe", recipe_text(recipe, catalogue), mention.item, f"recipe:{mention.item}")
            )
        if not recipes:
            facts.append(
                Fact(name, "has no recipe; it is dug or found", mention.item, f"item:{mention.item}")
            )
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
