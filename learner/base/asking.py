"""Turns whose answer stands in the facts, or nowhere: a scene comes in, a turn goes out, or `None`
when the scene has nothing to ask about."""

from __future__ import annotations

from collections.abc import Iterable

from agent_runtime.npc.world import NO_RECIPE, list_up
from learner.base.grammar import ENGLISH, load
from learner.base.names import an
from learner.base.scene import COOKED, Scene, town_topic
from learner.base.turns import Turn, answer, ask, dress, has, item_slots, typed, voiced

UNKNOWN = "unknown"
WHEREABOUTS = ("place:", "player:", "mob:", "npc:")
LITTLE_WORDS = tuple(load("leads")["little"])


def bare(scene: Scene) -> Turn | None:
    """A name among words that say little: what is known of it is the answer. So a wording that was never
    read before is not taken for a question about nothing."""
    sources = [s for s in ("place:", "player:", "mob:", "npc:", "recipe:", "recipe:") if scene.numbers(s)]
    if not sources:
        return None
    source = scene.rng.choice(sources)
    subject = scene.rng.choice(scene.subjects(source))
    numbers = [n for n in scene.numbers(source) if scene.facts[n - 1].subject == subject]
    words = scene.rng.sample(LITTLE_WORDS, scene.rng.choice((0, 1, 2, 3, 4, 5)))
    words.insert(scene.rng.randint(0, len(words)), subject)
    line = " ".join(words) + scene.rng.choice(("?", "?", "", "!", ".", " please"))
    line = line.capitalize() if scene.rng.random() < 0.2 else line
    if source == "recipe:":
        return Turn("recipe", line, dress(scene, made(scene, numbers[0])), _quotes(scene, numbers, "recipe:"))
    reply = answer(scene, "where", {"ref": scene.ref(numbers[0])})
    return Turn("directions", line, dress(scene, reply), _quotes(scene, numbers[:1], WHEREABOUTS))


def recipe(scene: Scene) -> Turn | None:
    """How something is made: the right fact among others."""
    items = scene.subjects("recipe:") + scene.subjects("norecipe:")
    if not items:
        return None
    item = scene.rng.choice(items)
    slots = item_slots(item)
    line = typed(scene, ask(scene, "questions", "recipe", slots))
    number = scene.number_of(item, "recipe:")
    if number is None:
        number = scene.number_of(item, "norecipe:") or 0
        reply = answer(scene, "norecipe", {**slots, "ref": scene.ref(number)})
        return Turn("recipe", line, dress(scene, reply), _quotes(scene, [number], "norecipe:"))
    return Turn("recipe", line, dress(scene, made(scene, number)), _quotes(scene, [number], "recipe:"))


def made(scene: Scene, number: int) -> str:
    """The plain reply that quotes a recipe."""
    smelted = COOKED in scene.facts[number - 1].value
    return answer(scene, "smelt" if smelted else "recipe", {"ref": scene.ref(number)})


def uses(scene: Scene) -> Turn | None:
    """What something is good for."""
    items = scene.subjects("uses:")
    useless = [item for item in scene.items() if item not in items]
    if useless and (not items or scene.rng.random() < 0.2):
        slots = item_slots(scene.rng.choice(useless))
        line = typed(scene, ask(scene, "questions", "uses", slots))
        return Turn(UNKNOWN, line, dress(scene, answer(scene, "uses_none")), _admits(scene))
    if not items:
        return None
    item = scene.rng.choice(items)
    number = scene.number_of(item, "uses:") or 0
    slots = item_slots(item)
    line = typed(scene, ask(scene, "questions", "uses", slots))
    reply = answer(scene, "uses", {**slots, "ref": scene.ref(number)})
    return Turn("uses", line, dress(scene, reply), _quotes(scene, [number], "uses:"))


def where(scene: Scene) -> Turn | None:
    """Where a place, a person or a mob is."""
    sources = ("place:", "place:", "player:", "mob:", "npc:")
    found = {subject: source for source in sources for subject in scene.subjects(source)}
    if not found:
        return None
    subject = scene.rng.choice(list(found))
    source = found[subject]
    number = scene.number_of(subject, source) or 0
    spoken = _the(scene, source, subject)
    line = typed(scene, ask(scene, "questions", "where", {"place": spoken, "bare": subject}))
    reply = answer(scene, "where", {"ref": scene.ref(number)})
    return Turn(
        "directions",
        line,
        dress(scene, reply),
        _quotes(scene, [number], WHEREABOUTS),
    )


def _the(scene: Scene, source: str, subject: str) -> str:
    named = source in ("player:", "npc:") or subject == "spawn" or "'" in subject
    if named or scene.language != ENGLISH:
        return subject
    return f"the {subject}" if scene.rng.random() < 0.85 else subject


def single(scene: Scene) -> Turn | None:
    """The time, the ground, the weather, what the player holds, what the character is doing."""
    kinds = {"time": "time", "ground": "ground", "holds": "holds", "doing": "state", "weather": "weather"}
    key = scene.rng.choice([kind for kind in kinds if has(scene, "questions", kind)])
    numbers = scene.numbers(kinds[key])
    line = typed(scene, ask(scene, "questions", key))
    if not numbers:
        if key != "weather":
            return None
        return Turn("facts", line, dress(scene, answer(scene, "weather_unknown")), _admits(scene))
    reply = answer(scene, key, {"ref": scene.ref(numbers[0])})
    others = ("time", "ground", "holds", "state", "weather")
    return Turn("facts", line, dress(scene, reply), _quotes(scene, numbers, others))


def near(scene: Scene) -> Turn:
    """Who and what is close by."""
    return _one(scene, "near", "near", "near")


def carry(scene: Scene) -> Turn:
    """What the character has in the bag."""
    return _one(scene, "carry", "bag", "carry")


def _one(scene: Scene, key: str, source: str, reply: str) -> Turn:
    """A question that one fact answers in full."""
    number = scene.numbers(source)[0]
    line = typed(scene, ask(scene, "questions", key))
    core = answer(scene, reply, {"ref": scene.ref(number)})
    return Turn("facts", line, dress(scene, core), _quotes(scene, [number], source))


def carry_one(scene: Scene) -> Turn:
    """Whether, and how many of, one item the character carries."""
    item = scene.rng.choice(scene.items())
    number = scene.number_of(item, "carry:")
    line = typed(scene, ask(scene, "questions", "carry_one", item_slots(item)))
    if not number:
        return Turn(
            "facts", line, dress(scene, answer(scene, "carry_not")), {"denies": True, "no_action": True}
        )
    reply = answer(scene, "carry_one", {"ref": scene.ref(number)})
    return Turn("facts", line, dress(scene, reply), _quotes(scene, [number], "carry:"))


def two(scene: Scene) -> Turn | None:
    """One item is asked for while another is named, or two others: the recipe of the first."""
    items = scene.subjects("recipe:")
    if len(items) < 2:
        return None
    item, *others = scene.rng.sample(items, min(len(items), scene.rng.choice((2, 2, 3))))
    slots = {**item_slots(item), "other": list_up([an(other) for other in others])}
    line = typed(scene, ask(scene, "questions", "two", slots))
    number = scene.number_of(item, "recipe:") or 0
    return Turn("recipe", line, dress(scene, made(scene, number)), _quotes(scene, [number], "recipe:"))


def two_places(scene: Scene) -> Turn | None:
    """The way to one place is asked for while another is named."""
    known = scene.subjects("place:")
    if len(known) < 2:
        return None
    place, other = scene.rng.sample(known, 2)
    slots = {"place": _the(scene, "place:", place), "other": _the(scene, "place:", other)}
    line = typed(scene, ask(scene, "questions", "two_places", slots))
    number = scene.number_of(place, "place:") or 0
    reply = answer(scene, "where", {"ref": scene.ref(number)})
    return Turn("directions", line, dress(scene, reply), _quotes(scene, [number], WHEREABOUTS))


def knows(scene: Scene) -> Turn | None:
    """A matter of the town, told or never heard of."""
    topics = scene.subjects("knows:")
    if topics and scene.rng.random() < 0.8:
        topic = scene.rng.choice(topics)
        number = scene.number_of(topic, "knows:") or 0
        line = typed(scene, ask(scene, "questions", "knows", {"topic": topic}))
        reply = answer(scene, "knows", {"ref": scene.ref(number)})
        return Turn("facts", line, dress(scene, reply), _quotes(scene, [number], "knows:"))
    topic = town_topic(scene.rng, scene.names)
    if topic in topics:
        return None
    line = typed(scene, ask(scene, "questions", "knows", {"topic": topic}))
    return Turn(UNKNOWN, line, _admit(scene, "item_unknown"), _admits(scene))


def other_item(scene: Scene, excluded: list[str]) -> str:
    """An item that is not among those."""
    while (item := scene.names.items(2)[scene.rng.randrange(2)]) in excluded:
        pass
    return item


def unknown_item(scene: Scene) -> Turn:
    """An item no fact speaks of: the character says so."""
    known = [fact.subject for fact in scene.facts]
    item = scene.names.item()
    while item in known:
        item = scene.names.item()
    slots = item_slots(item)
    line = typed(scene, ask(scene, "questions", scene.rng.choice(("recipe", "recipe", "uses")), slots))
    return Turn(UNKNOWN, line, _admit(scene, "item_unknown"), _admits(scene))


def unknown_place(scene: Scene) -> Turn:
    """A place or a person no fact speaks of."""
    known = [fact.subject for fact in scene.facts]
    kind = scene.rng.random()
    while True:
        name = scene.names.place() if kind < 0.7 else scene.names.player()
        if name not in known and name != scene.player:
            break
    spoken = _the(scene, "place:" if kind < 0.7 else "player:", name)
    line = typed(scene, ask(scene, "questions", "where", {"place": spoken, "bare": name}))
    return Turn(UNKNOWN, line, _admit(scene, "where_unknown"), _admits(scene))


def _admit(scene: Scene, key: str) -> str:
    return voiced(scene, "unknown") if scene.rng.random() < 0.55 else dress(scene, answer(scene, key))


def _admits(scene: Scene) -> dict[str, object]:
    values = [
        f.value
        for f in scene.facts
        if f.source.split(":")[0] in ("recipe", "uses", "place", "player", "mob", "npc")
    ]
    return {"admits": True, "no_action": True, "excludes": telling(values)}


def _quotes(scene: Scene, numbers: list[int], sources: str | tuple[str, ...]) -> dict[str, object]:
    right = [scene.facts[n - 1].value for n in numbers]
    prefixes = (sources,) if isinstance(sources, str) else sources
    wrong = [
        f.value
        for f in scene.facts
        if f.source.startswith(prefixes) and f.value not in right and f.value != NO_RECIPE
    ]
    return {"contains_any": right, "excludes": telling(wrong), "no_action": True}


def telling(values: Iterable[str]) -> list[str]:
    """Those values that nobody says by chance."""
    return sorted({value for value in values if " " in value})
