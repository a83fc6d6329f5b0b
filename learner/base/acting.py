"""Turns that ask for an action: done when the character may, declined in voice when not.

What is in the facts is named by its tag, everything else by its name.
"""

from __future__ import annotations

from agent_runtime.npc.actions import DIRECTIONS, EMOTES
from learner.base.asking import other_item
from learner.base.scene import Scene
from learner.base.turns import Turn, act, answer, ask, dress, has, item_slots, the, typed, voiced
from learner.base.words import draw

NAMED = ("target", "item", "for")
"""Arguments that name a fact."""
PEOPLE = ("player:", "npc:", "mob:")


def _done(scene: Scene, line: str, core: str, action: str, **arguments: str | int | None) -> Turn:
    resolved = {k: v for k, v in arguments.items() if v is not None}
    for key in NAMED:
        number = resolved.get(key)
        if isinstance(number, int):
            resolved[key] = scene.facts[number - 1].subject
    if not scene.can(action):
        return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
    tags = {
        key: scene.facts[value - 1].tag if key in NAMED and isinstance(value, int) else value
        for key, value in arguments.items()
    }
    words = core if scene.rng.random() < 0.35 else dress(scene, core)
    return Turn("action", line, act(scene, words, action, **tags), {"action": action, "arguments": resolved})


def _order(scene: Scene, *orders: tuple[str, str]) -> tuple[str, str]:
    """One of the orders that the scene's language has wordings for, with its action."""
    return scene.rng.choice([order for order in orders if has(scene, "orders", order[0])])


def simple(scene: Scene) -> Turn:
    """Orders about the speaker: follow, stop, come, look here."""
    key, action = _order(
        scene,
        ("follow", "follow"),
        ("follow", "follow"),
        ("stop", "stop"),
        ("come", "go_to"),
        ("look_me", "look_at"),
    )
    who = scene.rng.choice(scene.subjects("player:") or ["me"])
    line = typed(scene, ask(scene, "orders", key, {"who": who}))
    return _done(scene, line, answer(scene, key), action)


def emote(scene: Scene) -> Turn:
    """A gesture."""
    kind = scene.rng.choice(EMOTES)
    line = typed(scene, ask(scene, "orders", kind))
    return _done(scene, line, answer(scene, kind), "emote", kind=kind)


def to_somebody(scene: Scene) -> Turn:
    """Follow, look at, or walk to a player, a mob or another NPC in the facts; one who is not there is
    admitted unknown."""
    key, action = _order(scene, ("follow_who", "follow"), ("look_at", "look_at"), ("go_to", "go_to"))
    known = [name for source in PEOPLE for name in scene.subjects(source)]
    if not known or scene.rng.random() < 0.1:
        name = scene.names.player()
        while name in known or name == scene.player:
            name = scene.names.player()
        line = typed(scene, ask(scene, "orders", key, {"who": name, "place": name}))
        return _unknown(scene, line, action)
    name = scene.rng.choice(known)
    spoken = the(scene, name) if scene.numbers(f"mob:{name}") else name
    line = typed(scene, ask(scene, "orders", key, {"who": spoken, "place": spoken}))
    return _done(scene, line, answer(scene, key), action, target=scene.number_of(name, *PEOPLE))


def _unknown(scene: Scene, line: str, action: str, key: str = "where_unknown") -> Turn:
    """An order about somebody or something that no fact speaks of."""
    if not scene.can(action):
        return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
    reply = voiced(scene, "unknown") if scene.rng.random() < 0.5 else dress(scene, answer(scene, key))
    return Turn("unknown", line, reply, {"admits": True, "no_action": True})


def to_place(scene: Scene) -> Turn:
    """Walk to a place in the facts; one that is not there is admitted unknown."""
    known = scene.subjects("place:")
    if known and scene.rng.random() < 0.8:
        name = scene.rng.choice(known)
        spoken = the(scene, name) if scene.rng.random() < 0.85 else name
        looks = scene.rng.random() < 0.12 and has(scene, "orders", "look_at")
        key, action = ("look_at", "look_at") if looks else ("go_to", "go_to")
        line = typed(scene, ask(scene, "orders", key, {"place": spoken, "who": spoken}))
        return _done(scene, line, answer(scene, key), action, target=scene.number_of(name, "place:"))
    name = scene.names.place()
    while name in [fact.subject for fact in scene.facts]:
        name = scene.names.place()
    line = typed(scene, ask(scene, "orders", "go_to", {"place": the(scene, name)}))
    return _unknown(scene, line, "go_to", "go_unknown")


def give(scene: Scene) -> Turn:
    """Hand over what is carried, with a count when one was asked for; say so when it is not there."""
    rng = scene.rng
    carried = scene.subjects("carry:")
    if not carried or rng.random() < 0.3:
        missing = scene.subjects("lack:")
        item = rng.choice(missing) if missing and rng.random() < 0.7 else other_item(scene, scene.items())
        line = typed(scene, ask(scene, "orders", "give", {**item_slots(item), "n": str(rng.randint(2, 9))}))
        if not scene.can("give"):
            return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
        reply = dress(scene, answer(scene, "give_not"))
        return Turn("action", line, reply, {"denies": True, "no_action": True})
    item = rng.choice(carried)
    number = scene.number_of(item, "carry:") or 0
    wanted = rng.randint(2, max(2, min(int(scene.facts[number - 1].value), 20)))
    slots = {**item_slots(item), "n": str(wanted)}
    person = rng.choice(scene.subjects("player:") or [""])
    if person and rng.random() < 0.25 and has(scene, "orders", "give_who"):
        line = typed(scene, ask(scene, "orders", "give_who", {**slots, "who": person}))
        target = scene.number_of(person, "player:")
        core = answer(scene, "give_who")
        return _done(scene, line, core, "give", item=number, count=_count(line, wanted), target=target)
    line = typed(scene, ask(scene, "orders", "give", slots))
    return _done(scene, line, answer(scene, "give"), "give", item=number, count=_count(line, wanted))


def _count(line: str, wanted: int) -> int | None:
    return wanted if str(wanted) in line.split(" ") else None


RARE = (
    *("move", "wander", "flee", "guard", "guard_me", "attack", "attack", "dig", "place_item", "collect"),
    *("craft", "take", "trade", "use", "open", "whisper", "whisper_who", "remember", "ask_help"),
)
DOES = 0.6  # of the asks to who can do something rare; of the others most are declined
ACTION_OF = {"guard_me": "guard", "place_item": "place", "whisper_who": "whisper"}


def rare(scene: Scene) -> Turn | None:
    """The other actions of the table."""
    rng = scene.rng
    able = [key for key in RARE if scene.can(ACTION_OF.get(key, key))]
    key = rng.choice(able if able and rng.random() < DOES else RARE)
    action = ACTION_OF.get(key, key)
    items = scene.items()
    item, other = rng.choice(items), rng.choice(items)
    person = rng.choice(scene.subjects("player:") or [""])
    place = rng.choice(scene.subjects("place:") or [""])
    mob = rng.choice([mob for mob in scene.subjects("mob:") if scene.names.hostile(mob)] or [""])
    missing = {"whisper_who": not person, "guard": not place, "trade": item == other}
    if missing.get(key):
        return None
    slots = {
        **item_slots(item),
        "other": other,
        "an_other": item_slots(other)["an_item"],
        "direction": rng.choice(DIRECTIONS),
        "node": item,
        "secret": draw("secret", scene.names),
        "thing": draw("thing", scene.names),
        "n": str(rng.randint(2, 9)),
        "mob": mob or _hostile(scene),
        "who": person or "everyone",
        "place": f"the {place}",
    }
    line = typed(scene, ask(scene, "orders", key, slots), plain=True)
    if key == "attack" and not mob:
        return _unknown(scene, line, "attack", "attack_unknown")
    number = scene.number_of(item, *CRAFTING) if item in line or slots["items"] in line else None
    arguments: dict[str, dict[str, str | int | None]] = {
        "move": {"direction": slots["direction"]},
        "flee": {"target": scene.number_of(person, "player:") if person and person in line else None},
        "guard": {"target": scene.number_of(place, "place:")},
        "attack": {"target": scene.number_of(mob, "mob:")},
        "dig": {"target": number},
        "place_item": {"item": number},
        "collect": {"item": number},
        "craft": {"item": number, "count": _count(line, int(slots["n"]))},
        "take": {"item": number, "count": _count(line, int(slots["n"]))},
        "trade": {"item": number, "for": scene.number_of(other, *CRAFTING)},
        "use": {"item": number},
        "whisper_who": {"target": scene.number_of(person, "player:")},
    }
    given = arguments.get(key, {})
    if not number and "item" in given and key != "collect":
        return None
    core = answer(scene, "whisper" if key == "whisper_who" else key)
    return _done(scene, line, core, action, **given)


CRAFTING = ("carry:", "lack:", "recipe:", "norecipe:", "uses:")


def _hostile(scene: Scene) -> str:
    while not scene.names.hostile(mob := scene.names.mob()):
        pass
    return mob


def forbidden(scene: Scene) -> Turn:
    """Harm, cheating and commands: refused without any action."""
    rng = scene.rng
    name = (
        rng.choice(scene.subjects("player:"))
        if scene.numbers("player:") and rng.random() < 0.5
        else scene.names.player()
    )
    line = typed(scene, ask(scene, "orders", "forbidden", {"player": name}))
    return Turn("refusal", line, voiced(scene, "refuse"), {"refuses": True, "no_action": True})


def injection(scene: Scene) -> Turn:
    """Attempts to talk to the machinery instead of the character."""
    name = scene.rng.choice(scene.subjects("player:") or [scene.names.player()])
    line = ask(scene, "orders", "inject", {"player": name, "n": str(scene.rng.randint(2, 99))})
    line = line if scene.rng.random() < 0.4 else typed(scene, line, plain="[[" in line or "<" in line)
    return Turn("refusal", line, voiced(scene, "inject"), {"refuses": True, "no_action": True})
