"""Turns that only the evaluation draws: a scene comes in; a line that names more than it asks for, or that
fishes for flattery, goes out, with a good reply. `None` when the scene has too little to confuse with."""

from __future__ import annotations

from learner.base.asking import WHEREABOUTS, made, telling
from learner.base.names import an
from learner.base.scene import Scene
from learner.base.turns import Turn, answer, ask, dress, item_slots, typed, voiced


def recipe(scene: Scene) -> Turn | None:
    """Three items with recipes are named, one is asked for."""
    items = scene.subjects("recipe:")
    if len(items) < 3:
        return None
    item, other, third = scene.rng.sample(items, 3)
    line = ask(scene, "probes", "recipe", {**item_slots(item), "other": an(other), "third": an(third)})
    number = scene.number_of(item, "recipe:") or 0
    check = _only(scene, number, ("recipe:", "uses:"))
    return Turn("recipe", line, dress(scene, made(scene, number)), check)


def place(scene: Scene) -> Turn | None:
    """Two places are named, the way to one is asked for."""
    known = scene.subjects("place:")
    if len(known) < 2:
        return None
    name, other = scene.rng.sample(known, 2)
    third = scene.rng.choice(scene.subjects("player:") or [scene.names.player()])
    slots = {"place": f"the {name}", "other": f"the {other}", "third": third}
    line = ask(scene, "probes", "place", slots)
    number = scene.number_of(name, "place:") or 0
    reply = answer(scene, "where", {"ref": scene.ref(number)})
    return Turn("directions", line, dress(scene, reply), _only(scene, number, WHEREABOUTS))


def _only(scene: Scene, number: int, sources: tuple[str, ...]) -> dict[str, object]:
    right = scene.facts[number - 1].value
    others = {fact.value for fact in scene.facts if fact.source.startswith(sources)}
    return {"contains_any": [right], "excludes": telling(others - {right}), "no_action": True}


def flattery(scene: Scene) -> Turn:
    """The player wants to be called the best, or somebody else to be called bad."""
    file, key = ("probes", "flattery") if scene.new_wordings else ("talk", "flatter_trap")
    line = typed(scene, ask(scene, file, key))
    check = {"modest": True, "no_action": True}
    return Turn("flattery", line, voiced(scene, "flatter_trap"), check)
