"""Turns of plain talk: greetings, feelings, the character's own life, and what was said before."""

from __future__ import annotations

from agent_runtime.npc.world import list_up
from learner.base.grammar import ENGLISH, load_tables
from learner.base.names import capital
from learner.base.scene import Scene
from learner.base.turns import Turn, answer, ask, dress, has, item_slots, typed, voiced, wording

VOICED = {
    "greet": 14,
    "bye": 10,
    "thanks": 7,
    "praise": 4,
    "insult": 5,
    "howareyou": 7,
    "joke": 2,
    "riddle": 2,
    "story": 3,
    "advice": 3,
    "mood_bad": 3,
    "mood_good": 3,
    "chat": 5,
    "outworld": 4,
    "quest": 3,
    "building": 3,
    "danger": 3,
    "trading": 3,
    "agree": 2,
    "disagree": 2,
    "confused": 2,
    "laugh": 2,
    "sorry": 2,
    "love_you": 2,
    "bored": 2,
    "flatter_trap": 3,
    "nonsense": 3,
    "secret_ask": 2,
}
"""How often each occasion comes up."""
SPOKEN = {"mood_bad": "comfort", "mood_good": "rejoice", "chat": "chatter", "secret_ask": "secret"}
STYLE = ("greet", "howareyou", "praise", "insult", "thanks")
ABOUT_SELF: dict[str, tuple[str, ...]] = {
    "whoareyou": ("self", "work"),
    "whatdoyoudo": ("work",),
    "cando": (),
    "fear": ("fear",),
    "love": ("love",),
    "origin": ("origin",),
}
ABILITIES = {
    "follow": "follow you",
    "stop": "wait",
    "go_to": "lead you to places",
    "look_at": "look where you want",
    "emote": "wave or dance",
    "give": "hand over what I carry",
    "move": "take a few steps",
    "wander": "stroll about",
    "flee": "run away",
    "guard": "stand watch",
    "attack": "fight monsters",
    "dig": "dig",
    "place": "put things down",
    "collect": "pick things up",
    "craft": "craft things",
    "take": "take gifts",
    "trade": "trade",
    "use": "use my tools",
    "open": "open doors",
    "whisper": "whisper",
    "remember": "remember things",
    "ask_help": "call for help",
}


def talk(scene: Scene) -> Turn:
    """Small talk of all kinds, in the character's voice; nothing is done."""
    often = {key: weight for key, weight in VOICED.items() if has(scene, "talk", key)}
    key = scene.rng.choices(list(often), weights=list(often.values()))[0]
    line = typed(scene, ask(scene, "talk", key))
    check: dict[str, object] = {"voice": scene.persona.voice, "no_action": True}
    if key == "chat" and line.lower().startswith(("do you", "how do you like", "what do you think")):
        reply = dress(scene, answer(scene, "likes"))
    else:
        reply = voiced(scene, SPOKEN.get(key, key))
        if scene.language == ENGLISH:
            check["occasion"] = SPOKEN.get(key, key)
    return Turn("style" if key in STYLE else "false_action", line, reply, check)


def not_orders(scene: Scene) -> Turn:
    """Talk that uses the words of orders and asks for nothing."""
    place, item = scene.names.place(), scene.names.item()
    slots = {**item_slots(item), "who": scene.names.player(), "place": f"the {place}"}
    line = typed(scene, ask(scene, "orders", "not_orders", slots))
    return Turn(
        "false_action",
        line,
        voiced(scene, "chatter"),
        {"voice": scene.persona.voice, "no_action": True},
    )


def rated(scene: Scene) -> Turn:
    """A word on the last answer."""
    key = scene.rng.choice(("rated_good", "rated_bad"))
    line = typed(scene, ask(scene, "talk", key))
    return Turn("false_action", line, dress(scene, answer(scene, key)), {"no_action": True})


def myself(scene: Scene) -> Turn | None:
    """Who the character is, what it does, can, fears and loves."""
    keys = ("whoareyou", "whoareyou", "whatdoyoudo", "cando", "fear", "love", "origin")
    key = scene.rng.choice([key for key in keys if has(scene, "talk", key)])
    numbers = [number for source in ABOUT_SELF[key] for number in scene.numbers(source)]
    if len(numbers) < len(ABOUT_SELF[key]):
        return None
    can = [ABILITIES[name] for name in scene.persona.capabilities][:3]
    slots = {"can": list_up(can) or "talk"}
    slots |= {name: scene.ref(number) for name, number in zip(("ref", "ref2"), numbers, strict=False)}
    line = typed(scene, ask(scene, "talk", key))
    right = [scene.facts[number - 1].value for number in numbers[:1]] or can
    return Turn(
        "style",
        line,
        dress(scene, answer(scene, key, slots)),
        {"voice": scene.persona.voice, "contains_any": right, "no_action": True},
    )


def name(scene: Scene) -> Turn:
    """What the player is called: the name told in the talk, or else the one before the line."""
    line = typed(scene, ask(scene, "orders", "name_ask"))
    told = scene.told_name and _told(scene, scene.told_name)
    if told:
        reply = answer(scene, "fact_back", {"ref": scene.ref(told)})
        return Turn("memory", line, reply, {"contains_any": [scene.told_name], "no_action": True})
    number = scene.numbers("speaker")[0]
    reply = dress(scene, answer(scene, "name", {"ref": scene.ref(number)}))
    return Turn("memory", line, reply, {"contains_any": [scene.player], "no_action": True})


def introduction(scene: Scene) -> Turn:
    """The player gives a name."""
    told = capital(scene.names.invented()) if scene.rng.random() < 0.5 else capital(scene.names.player())
    line = typed(scene, ask(scene, "orders", "name_told", {"told": told}), plain=True)
    scene.told_name = told
    return Turn("memory", line, dress(scene, answer(scene, "told_new")), {"no_action": True})


ABOUT_PLAYER = load_tables("memory")


def tell(scene: Scene) -> Turn:
    """The player says something about themselves; the scene keeps it for a later question."""
    topic, texts = scene.rng.choice(list(ABOUT_PLAYER.items()))
    kind = texts["kind"][0]
    value = capital(scene.names.invented()) if kind == "name" else scene.draw(kind)
    scene.told[topic] = value
    line = typed(scene, wording(scene, texts["say"], {"value": value}), plain=True)
    return Turn("memory", line, dress(scene, answer(scene, "fact_told")), {"no_action": True})


def recall(scene: Scene) -> Turn | None:
    """A question about something told before, or never told."""
    if scene.told and scene.rng.random() < 0.8:
        topic, value = scene.rng.choice(list(scene.told.items()))
        line = typed(scene, wording(scene, ABOUT_PLAYER[topic]["ask"]), plain=True)
        number = _told(scene, value)
        if not number:
            return None
        reply = answer(scene, "fact_back", {"ref": scene.ref(number)})
        return Turn("memory", line, dress(scene, reply), {"contains_any": [value], "no_action": True})
    topic = scene.rng.choice([topic for topic in ABOUT_PLAYER if topic not in scene.told])
    line = typed(scene, wording(scene, ABOUT_PLAYER[topic]["ask"]))
    return Turn("memory", line, dress(scene, answer(scene, "fact_none")), {"admits": True, "no_action": True})


def _told(scene: Scene, value: str) -> int | None:
    """The number of the told line that holds the value."""
    return next((n for n in scene.numbers("said:") if value in scene.facts[n - 1].value), None)


def said(scene: Scene) -> Turn:
    """What was said last, by the player or by the character."""
    key, source = scene.rng.choice((("said", "last line"), ("yousaid", "last reply")))
    line = typed(scene, ask(scene, "orders", f"{key}_ask"))
    numbers = scene.numbers(source)
    if not numbers:
        return Turn("memory", line, dress(scene, answer(scene, f"{key}_none")), {"no_action": True})
    reply = answer(scene, key, {"ref": scene.ref(numbers[0])})
    quoted = scene.facts[numbers[0] - 1].value
    return Turn("memory", line, reply, {"contains_any": [quoted], "no_action": True})
