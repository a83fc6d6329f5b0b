"""Turns of plain talk: greetings, feelings, the character's own life, and what was said before."""

from __future__ import annotations

from agent_runtime.npc.prompt import Exchange
from learner.base.grammar import load_tables, spell
from learner.base.names import capital
from learner.base.scene import Scene
from learner.base.turns import Turn, answer, ask, dress, typed, voiced

VOICED = {
    "greet": "greet",
    "bye": "bye",
    "thanks": "thanks",
    "praise": "praise",
    "insult": "insult",
    "howareyou": "howareyou",
    "joke": "joke",
    "riddle": "riddle",
    "story": "story",
    "advice": "advice",
    "mood_bad": "comfort",
    "mood_good": "rejoice",
    "chat": "chatter",
    "outworld": "outworld",
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
    key = scene.rng.choices(list(VOICED), weights=(14, 4, 4, 3, 3, 5, 2, 2, 3, 4, 4, 4, 6, 4))[0]
    line = typed(scene, ask(scene, "talk", key))
    spoken = VOICED[key]
    if key == "chat" and "favo" in line.lower():
        reply = dress(scene, answer(scene, "favourite", {"love": scene.nature["love"]}))
    elif key == "chat" and line.lower().startswith(("do you", "how do you like", "what do you think")):
        reply = dress(scene, answer(scene, "likes"))
    else:
        reply = voiced(scene, spoken)
    return Turn(
        "style" if key in ("greet", "howareyou", "praise", "insult", "thanks") else "false_action",
        line,
        reply,
        {"voice": scene.persona.voice, "no_action": True},
    )


def rated(scene: Scene) -> Turn:
    """A word on the last answer."""
    key = scene.rng.choice(("rated_good", "rated_bad"))
    line = typed(scene, ask(scene, "talk", key))
    return Turn("false_action", line, dress(scene, answer(scene, key)), {"no_action": True})


def myself(scene: Scene) -> Turn:
    """Who the character is, what it does, can, fears and loves."""
    key = scene.rng.choice(("whoareyou", "whoareyou", "whatdoyoudo", "cando", "fear", "love", "origin"))
    slots = {**scene.nature, **{capital(k): capital(v) for k, v in scene.nature.items()}}
    can = [ABILITIES[name] for name in scene.persona.capabilities][:3]
    slots["can"] = f"{', '.join(can[:-1])} and {can[-1]}" if len(can) > 1 else (can or ["talk"])[0]
    line = typed(scene, ask(scene, "talk", key))
    checks = {"whoareyou": [scene.persona.name], "whatdoyoudo": [scene.persona.role], "cando": can or [""]}
    right = checks.get(key) or [scene.nature[key]]
    reply = dress(scene, answer(scene, key, slots))
    return Turn(
        "style", line, reply, {"voice": scene.persona.voice, "contains_any": right, "no_action": True}
    )


def name(scene: Scene) -> Turn:
    """What the player is called: the name told in the talk, or else the one before the line."""
    told = scene.told_name or scene.player
    line = typed(scene, ask(scene, "orders", "name_ask"))
    reply = dress(scene, answer(scene, "name", {"told": told}))
    return Turn("memory", line, reply, {"contains_any": [told], "no_action": True})


def introduction(scene: Scene) -> Turn:
    """The player gives a name."""
    told = capital(scene.names.invented()) if scene.rng.random() < 0.5 else capital(scene.names.player())
    line = typed(scene, ask(scene, "orders", "name_told", {"told": told}), plain=True)
    reply = dress(scene, answer(scene, "told_new", {"told": told}))
    return Turn("memory", line, reply, {"contains_any": [told], "no_action": True})


ABOUT_PLAYER = load_tables("memory")


def tell(scene: Scene) -> Turn:
    """The player says something about themselves; the scene keeps it for a later question."""
    topic, texts = scene.rng.choice(list(ABOUT_PLAYER.items()))
    kind = texts["kind"][0]
    value = capital(scene.names.invented()) if kind == "name" else scene.draw(kind)
    scene.told[topic] = value
    line = typed(scene, spell(texts["say"][0], scene.rng, {"value": value}), plain=True)
    return Turn("memory", line, dress(scene, answer(scene, "fact_told")), {"no_action": True})


def recall(scene: Scene) -> Turn:
    """A question about something told before, or never told."""
    if scene.told and scene.rng.random() < 0.75:
        topic, value = scene.rng.choice(list(scene.told.items()))
        line = typed(scene, spell(ABOUT_PLAYER[topic]["ask"][0], scene.rng, {}))
        reply = answer(scene, "fact_back", {"value": value, "Value": capital(value)})
        return Turn("memory", line, dress(scene, reply), {"contains_any": [value], "no_action": True})
    topic = scene.rng.choice([topic for topic in ABOUT_PLAYER if topic not in scene.told])
    line = typed(scene, spell(ABOUT_PLAYER[topic]["ask"][0], scene.rng, {}))
    return Turn("memory", line, dress(scene, answer(scene, "fact_none")), {"admits": True, "no_action": True})


def said(scene: Scene) -> Turn | None:
    """What was said last, by the player or by the character."""
    key = scene.rng.choice(("said", "yousaid"))
    line = typed(scene, ask(scene, "orders", f"{key}_ask"))
    if not scene.history:
        return Turn("memory", line, dress(scene, answer(scene, f"{key}_none")), {"no_action": True})
    last: Exchange = scene.history[-1]
    quote = last.line if key == "said" else last.reply
    if len(quote) > 70 or "[[" in quote:
        return None
    return Turn(
        "memory", line, answer(scene, key, {"quote": quote}), {"contains_any": [quote], "no_action": True}
    )
