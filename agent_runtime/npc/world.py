"""What is true right now, as facts a reply can quote: a snapshot, the game's catalogue, what else is known
and the player's line come in; a short list of facts goes out: what is always told, and what the line names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent_runtime.bridge.parts import Near, Recipe, Snapshot
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.relevance import choose

MAX_USES = 3
MAX_ALTERNATIVES = 2
NO_RECIPE = "has no recipe; it is dug or found"
MAX_LISTED = 4
_HERE = 2.0
_KINDS = {"player": "player", "npc": "townsperson", "mob": "mob"}
_TIMES = (
    (4.5, "night"),
    (6.0, "early morning"),
    (11.0, "morning"),
    (13.0, "noon"),
    (17.5, "afternoon"),
    (21.0, "evening"),
    (24.0, "night"),
)


def facts_for(
    line: str, known: Sequence[Fact], snapshot: Snapshot, catalogue: Catalogue, limit: int
) -> list[Fact]:
    """The facts for one line: what is always told, and at most `limit` that it names. `known` is what the
    NPC knows beyond the world around it."""
    mentioned = [mention.item for mention in catalogue.mentions(line)]
    near = [
        Fact(_near_label(near), near_text(near), near.name, f"{near.kind}:{near.name}")
        for near in sorted(snapshot.near, key=lambda near: near.distance)
    ]
    counts = {stack.item: stack.count for stack in snapshot.inventory if stack.count}
    carried = [
        carry_fact(catalogue.name_of(item), item, counts.get(item, 0))
        for item in dict.fromkeys([*counts, *mentioned])
    ]
    candidates = [
        *_situation(snapshot, catalogue),
        near_fact(near),
        bag_fact([(catalogue.name_of(item), count) for item, count in counts.items()]),
        *near,
        *carried,
        *(fact for item in mentioned for fact in _crafting(item, catalogue)),
        *known,
    ]
    return choose(line, candidates, limit)


def _situation(snapshot: Snapshot, catalogue: Catalogue) -> list[Fact]:
    held = catalogue.name_of(snapshot.held) if snapshot.held else "nothing"
    facts = [Fact("time", time_text(snapshot.time_of_day), "time", "time")]
    ground = [catalogue.name_of(snapshot.surface)] if snapshot.surface else []
    ground += [snapshot.biome.replace("_", " ").lower()] if snapshot.biome else []
    if ground:
        facts.append(Fact("ground", ", ".join(ground), "ground", f"ground:{snapshot.surface}"))
    facts.append(Fact("player", held, snapshot.held or "nothing", f"holds:{snapshot.held}"))
    facts.append(Fact("you", snapshot.doing or "standing", "you", "state"))
    if snapshot.weather:
        facts.append(Fact("weather", snapshot.weather, "weather", "weather"))
    return facts


def near_fact(near: Sequence[Fact]) -> Fact:
    """Who is close by, in one fact to quote: people first, `bob 4 steps west and a sheep 12 steps north`."""
    kinds = [(kind, fact) for kind in _KINDS for fact in near if fact.source.startswith(f"{kind}:")]
    names = [
        f"{_a(fact.subject) if kind == 'mob' else fact.subject} {fact.value}"
        for kind, fact in kinds[:MAX_LISTED]
    ]
    return Fact("near", list_up(names) or "nobody else", "near", "near")


def bag_fact(carried: Sequence[tuple[str, int]]) -> Fact:
    """What the NPC carries, in one fact to quote: `5 torch and 2 bread`."""
    names = [f"{count} {name}" for name, count in carried[:MAX_LISTED]]
    if len(carried) > MAX_LISTED:
        names.append("more")
    return Fact("bag", list_up(names) or "nothing", "bag", "bag")


def carry_fact(name: str, item: str, count: int) -> Fact:
    """How many of one item the NPC carries; none is worth telling, too, of an item that was named."""
    return Fact(name, str(count or "none"), item, f"{'carry' if count else 'lack'}:{item}")


def _near_label(near: Near) -> str:
    return near.name if near.kind == "place" else f"{near.name} ({_KINDS[near.kind]})"


def _crafting(item: str, catalogue: Catalogue) -> list[Fact]:
    name, facts = catalogue.name_of(item), []
    uses = catalogue.uses(item)
    if uses:
        facts.append(Fact(name, _uses_text(uses, catalogue), item, f"uses:{item}"))
    recipes = catalogue.recipes(item)[:MAX_ALTERNATIVES]
    facts.append(recipe_fact(name, item, [recipe_text(recipe, catalogue) for recipe in recipes]))
    return facts


def recipe_fact(name: str, item: str, ways: Sequence[str]) -> Fact:
    """All ways to make an item, in one fact to quote: `8 stone, or 8 cobblestone`."""
    if ways:
        return Fact(name, ", or ".join(ways), item, f"recipe:{item}")
    return Fact(name, NO_RECIPE, item, f"norecipe:{item}")


def list_up(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, or nothing."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _a(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _uses_text(uses: list[str], catalogue: Catalogue) -> str:
    names = ", ".join(catalogue.name_of(use) for use in uses[:MAX_USES])
    return f"{names} and {len(uses) - MAX_USES} more" if len(uses) > MAX_USES else names


def recipe_text(recipe: Recipe, catalogue: Catalogue) -> str:
    """`1 coal lump and 1 stick (makes 4)`, or `iron lump smelted in a furnace`."""
    if recipe.method == "cooking":
        return f"{catalogue.name_of(recipe.inputs[0]) if recipe.inputs else 'nothing'} smelted in a furnace"
    counted = Counter(catalogue.name_of(item) for item in recipe.inputs if item)
    text = list_up([f"{count} {name}" for name, count in counted.items()]) or "nothing"
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
