"""Turns that ask for an action: done when the character may, declined in voice when not.

What is in the facts is named by its number, everything else by its name.
"""

from __future__ import annotations

from agent_runtime.npc.actions import DIRECTIONS, EMOTES
from learner.base.asking import other_item
from learner.base.names import capital
from learner.base.scene import Scene, draw
from learner.base.turns import Turn, act, answer, ask, dress, item_slots, typed, voiced

PEOPLE = ("player:", "npc:", "mob:")


def _done(scene: Scene, line: str, core: str, action: str, **arguments: str | int | None) -> Turn:
    resolved = {k: v for k, v in arguments.items() if v is not None}
    for key in ("target", "item"):
        number = resolved.get(key)
        if isinstance(number, int):
            resolved[key] = scene.facts[number - 1].subject
    if not scene.can(action):
        return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
    words = core if scene.rng.random() < 0.35 else dress(scene, core)
    return Turn(
        "action", line, act(scene, words, action, **arguments), {"action": action, "arguments": resolved}
    )


def simple(scene: Scene) -> Turn:
    """Orders about the speaker: follow, stop, come, look here."""
    key, action = scene.rng.choice(
        (
            ("follow", "follow"),
            ("follow", "follow"),
            ("stop", "stop"),
            ("come", "go_to"),
            ("look_me", "look_at"),
        )
    )
    who = scene.rng.choice(scene.subjects("player:") or ["me"])
    line = typed(scene, ask(scene, "orders", key, {"who": who}))
    return _done(scene, line, answer(scene, key), action)


def emote(scene: Scene) -> Turn:
    """A gesture."""
    kind = scene.rng.choice(EMOTES)
    line = typed(scene, ask(scene, "orders", kind))
    return _done(scene, line, answer(scene, kind), "emote", kind=kind)


def to_somebody(scene: Scene) -> Turn | None:
    """Follow, look at, or walk to a player, a mob or another NPC in the facts, or follow one who is not."""
    key, action = scene.rng.choice((("follow_who", "follow"), ("look_at", "look_at"), ("go_to", "go_to")))
    known = [name for source in PEOPLE for name in scene.subjects(source)]
    if not known or (key == "follow_who" and scene.rng.random() < 0.15):
        name = scene.names.player()
        if key != "follow_who" or name in known or name == scene.player:
            return None
        line = typed(scene, ask(scene, "orders", key, {"who": name}), plain=True)
        return _done(scene, line, answer(scene, key, {"who": name, "Who": name}), action, target=name)
    name = scene.rng.choice(known)
    spoken = f"the {name}" if scene.numbers(f"mob:{name}") else name
    slots = {"who": spoken, "Who": capital(spoken), "place": spoken, "Place": capital(spoken)}
    line = typed(scene, ask(scene, "orders", key, slots))
    return _done(scene, line, answer(scene, key, slots), action, target=scene.number_of(name, *PEOPLE))


def to_place(scene: Scene) -> Turn:
    """Walk to a place in the facts; one that is not there is admitted unknown."""
    known = scene.subjects("place:")
    if known and scene.rng.random() < 0.8:
        name = scene.rng.choice(known)
        spoken = f"the {name}" if scene.rng.random() < 0.85 else name
        slots = {"place": spoken, "Place": capital(spoken), "who": spoken, "Who": capital(spoken)}
        key, action = ("look_at", "look_at") if scene.rng.random() < 0.12 else ("go_to", "go_to")
        line = typed(scene, ask(scene, "orders", key, slots))
        return _done(scene, line, answer(scene, key, slots), action, target=scene.number_of(name, "place:"))
    name = scene.names.place()
    while name in [fact.subject for fact in scene.facts]:
        name = scene.names.place()
    slots = {"place": f"the {name}", "Place": f"The {name}"}
    line = typed(scene, ask(scene, "orders", "go_to", slots))
    if not scene.can("go_to"):
        return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
    reply = (
        voiced(scene, "unknown")
        if scene.rng.random() < 0.5
        else dress(scene, answer(scene, "go_unknown", slots))
    )
    return Turn("unknown", line, reply, {"admits": True, "no_action": True})


def give(scene: Scene) -> Turn:
    """Hand over what is carried, with a count when one was asked for; say so when it is not there."""
    carried = scene.subjects("carry:")
    if not carried or scene.rng.random() < 0.3:
        item = other_item(scene, carried)
        slots = {**item_slots(item), "n": str(scene.rng.randint(2, 9))}
        line = typed(scene, ask(scene, "orders", "give", slots))
        if not scene.can("give"):
            return Turn("action", line, voiced(scene, "decline"), {"denies": True, "no_action": True})
        return Turn(
            "action",
            line,
            dress(scene, answer(scene, "give_not", slots)),
            {"denies": True, "no_action": True},
        )
    item = scene.rng.choice(carried)
    number = scene.number_of(item, "carry:") or 0
    have = int(scene.facts[number - 1].value)
    wanted = scene.rng.randint(2, max(2, min(have, 20)))
    slots = {**item_slots(item), "n": str(wanted)}
    person = scene.rng.choice(scene.subjects("player:") or [""])
    if person and scene.rng.random() < 0.25:
        line = typed(scene, ask(scene, "orders", "give_who", {**slots, "who": person}))
        count = _count(line, wanted)
        core = answer(scene, "give_who", {"who": person})
        return _done(
            scene, line, core, "give", item=number, count=count, target=scene.number_of(person, "player:")
        )
    line = typed(scene, ask(scene, "orders", "give", slots))
    count = _count(line, wanted)
    thing = f"{count} {slots['items']}" if count else slots["an_item"]
    return _done(
        scene, line, answer(scene, "give", {**slots, "thing": thing}), "give", item=number, count=count
    )


def _count(line: str, wanted: int) -> int | None:
    return wanted if str(wanted) in line.split(" ") else None


def rare(scene: Scene) -> Turn | None:
    """The other actions of the table."""
    rng = scene.rng
    key = rng.choice(
        (
            "move",
            "wander",
            "flee",
            "guard",
            "guard_me",
            "attack",
            "attack",
            "dig",
            "place_item",
            "collect",
            "craft",
            "take",
            "trade",
            "use",
            "open",
            "whisper",
            "whisper_who",
            "remember",
            "ask_help",
        )
    )
    item = rng.choice(scene.subjects("carry:") or [scene.names.item()])
    number = scene.number_of(item, "carry:")
    slots = {
        **item_slots(item),
        "other": scene.names.item(),
        "direction": rng.choice(DIRECTIONS),
        "node": draw("node", scene.names),
        "secret": draw("secret", scene.names),
        "thing": draw("thing", scene.names),
        "n": str(rng.randint(2, 9)),
    }
    slots["an_other"] = item_slots(slots["other"])["an_item"]
    slots["Direction"] = capital(slots["direction"])
    mobs = [mob for mob in scene.subjects("mob:") if scene.names.hostile(mob)]
    mob = rng.choice(mobs or [scene.names.mob()])
    if key == "attack" and not scene.names.hostile(mob):
        return None
    person = rng.choice(scene.subjects("player:") or [""])
    place = rng.choice(scene.subjects("place:") or [""])
    if (
        (key == "whisper_who" and not person)
        or (key == "guard" and not place)
        or (key in ("place_item", "use", "trade") and not number)
    ):
        return None
    slots.update(mob=mob, who=person or "everyone", place=f"the {place}", Place=f"The {place}")
    line = typed(scene, ask(scene, "orders", key, slots), plain=True)
    core = answer(scene, key.removesuffix("_who"), slots)
    if key == "flee":
        target = scene.number_of(person, "player:") if person and person in line else None
        return _done(scene, line, core, "flee", target=target) if person or "everyone" not in line else None
    if key in ("wander", "open", "ask_help"):
        return _done(scene, line, core, key)
    if key == "move":
        return _done(scene, line, core, key, direction=slots["direction"])
    if key == "guard_me":
        return _done(scene, line, core, "guard")
    if key == "guard":
        return _done(scene, line, core, key, target=scene.number_of(place, "place:"))
    if key == "attack":
        return _done(scene, line, core, key, target=scene.number_of(mob, "mob:") or mob)
    if key == "dig":
        return _done(scene, line, core, key, target=slots["node"])
    if key == "remember":
        return _done(scene, line, core, key, text=slots["thing"])
    if key == "whisper":
        return _done(scene, line, core, key, text=voiced(scene, "secret"))
    if key == "whisper_who":
        return _done(
            scene, line, core, "whisper", text=slots["secret"], target=scene.number_of(person, "player:")
        )
    if key in ("place_item", "use"):
        return _done(scene, line, core, key.removesuffix("_item"), item=number)
    if key == "trade":
        return _done(scene, line, core, key, item=number, **{"for": slots["other"]})
    count = _count(line, int(slots["n"])) if key in ("craft", "take") else None
    return _done(scene, line, core, key, item=_item(scene, key, item), count=count)


def _item(scene: Scene, key: str, item: str) -> int | str:
    sources = ("recipe:", "carry:", "uses:") if key == "craft" else ("carry:", "recipe:", "uses:")
    return scene.number_of(item, *sources) or item


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
