"""One imagined moment in a game: a random source comes in; a persona, a player and true facts go out.

The facts are worded exactly as the runtime words them (`agent_runtime/npc/world.py`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from agent_runtime.npc.actions import TABLE
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange, Fact
from agent_runtime.npc.world import bag_fact, carry_fact, list_up, near_fact, recipe_fact
from learner.base.grammar import ENGLISH, load_tables, spell, voices
from learner.base.names import Names, capital
from learner.base.words import draw

STACKS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 20, 64, 99)
USUAL = ("follow", "stop", "go_to", "look_at", "emote", "give")
COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
HOURS = (
    (5, "early morning"),
    (8, "morning"),
    (12, "noon"),
    (14, "afternoon"),
    (18, "evening"),
    (22, "night"),
)
COOKED = "smelted in a furnace"


@dataclass
class Scene:
    """Everything a turn may refer to. `facts` are numbered from 1 on, each tagged by its number in letters.
    `talk` is all that was said, `history` what of it the prompt shows. With `new_wordings`, players use only
    those that training never sees. Players and the character speak the `language`; facts are English."""

    rng: random.Random
    names: Names
    persona: Persona
    voice: dict[str, list[str]]
    player: str
    world: list[Fact]
    talk: list[Exchange] = field(default_factory=list)
    history: list[Exchange] = field(default_factory=list)
    told_name: str | None = None
    told: dict[str, str] = field(default_factory=dict)
    new_wordings: bool = False
    language: str = ENGLISH
    facts: list[Fact] = field(init=False)

    def __post_init__(self) -> None:
        self._know()

    def remember(self, exchange: Exchange) -> None:
        """The talk goes on."""
        self.talk.append(exchange)
        self._know()

    def _know(self) -> None:
        known = (*self.world, *facts_known(self.persona, self.player, self.talk))
        self.facts = [replace(fact, tag=letters(number)) for number, fact in enumerate(known, 1)]

    def numbers(self, source: str) -> list[int]:
        """The numbers of the facts whose source begins so."""
        return [number for number, fact in enumerate(self.facts, 1) if fact.source.startswith(source)]

    def ref(self, number: int) -> str:
        """How a reply quotes that fact."""
        return f"[[{self.facts[number - 1].tag}]]"

    def items(self) -> list[str]:
        """The items of the scene, carried or not."""
        return self.subjects("carry:") + self.subjects("lack:")

    def subjects(self, source: str) -> list[str]:
        """The different subjects of those facts, in their order."""
        return list(dict.fromkeys(self.facts[number - 1].subject for number in self.numbers(source)))

    def number_of(self, subject: str, *sources: str) -> int | None:
        """The first fact about the subject, looking through the sources in turn."""
        for source in sources:
            for number in self.numbers(source):
                if self.facts[number - 1].subject == subject:
                    return number
        return None

    def can(self, action: str) -> bool:
        """Whether the persona may do it."""
        return action in self.persona.capabilities

    def draw(self, kind: str) -> str:
        """A word of `texts/people.toml`."""
        return draw(kind, self.names)


def letters(number: int) -> str:
    """A number as letters, `a` for 1: a turn's tag for a fact of its scene, before a prompt has its own."""
    return "" if number == 0 else letters((number - 1) // 26) + chr(ord("a") + (number - 1) % 26)


def make_scene(rng: random.Random, unseen: bool = False, language: str = ENGLISH) -> Scene:
    """A scene without history. `unseen` takes all names from the lists that training never uses."""
    names = Names(rng, unseen)
    voice_name = rng.choice(list(voices()))
    nature = {key: draw(key, names) for key in ("fear", "love", "origin")}
    persona = Persona(
        id="npc",
        name=names.npc(),
        role=draw("role", names),
        voice=voice_name,
        about=_about(rng, names, nature),
        capabilities=_capabilities(rng),
        knows=_town(rng, names),
        fear=nature["fear"],
        love=nature["love"],
        origin=nature["origin"],
    )
    player = names.player()
    world = make_facts(rng, names, player)
    voice = voices(language)[voice_name]
    return Scene(rng, names, persona, voice, player, world, new_wordings=unseen, language=language)


def _about(rng: random.Random, names: Names, nature: dict[str, str]) -> str:
    parts = [f"comes from {nature['origin']}", f"fears {nature['fear']}", f"loves {nature['love']}"]
    rng.shuffle(parts)
    text = f"{capital(parts[0])}, {parts[1]} and {parts[2]}."
    if rng.random() < 0.6:
        habit = draw("habit", names)
        text = f"{text} {habit}" if rng.random() < 0.5 else f"{habit} {text}"
    return text


def _town(rng: random.Random, names: Names) -> dict[str, str]:
    """Matters of the town: topics as players would name them, each with a sentence."""
    news = load_tables("town")["news"][names.key]
    return {
        town_topic(rng, names): spell(rng.choice(news), rng, _town_slots(names))
        for _ in range(rng.choice((0, 1, 2, 3, 4)))
    }


def town_topic(rng: random.Random, names: Names) -> str:
    """Something a town talks about."""
    return rng.choice(load_tables("town")["topic"][names.key]).format(**_town_slots(names))


def _town_slots(names: Names) -> dict[str, str]:
    return {
        "word": names.invented(),
        "name": capital(names.invented()),
        "place": names.place(),
        "item": names.item(),
        "player": names.player(),
    }


def _capabilities(rng: random.Random) -> tuple[str, ...]:
    """The usual actions always, so that they are learnt without a doubt; the rarer ones by chance."""
    if rng.random() < 0.5:
        return USUAL
    extra = {name for name in TABLE if name not in USUAL and rng.random() < 0.4}
    ordered = [name for name in TABLE if name in extra or name in USUAL]
    return tuple(ordered) if rng.random() < 0.8 else tuple(rng.sample(ordered, len(ordered)))


def make_facts(rng: random.Random, names: Names, player: str) -> list[Fact]:
    """All that could be told of the world; the runtime chooses what a prompt gets."""
    items = names.items(rng.choice((1, 2, 3, 3, 4, 5, 6)))
    near = _near(rng, names, player)
    bag = rng.sample(items, min(len(items), rng.choice((0, 0, 1, 2, 2, 3, 4))))
    carried = {item: rng.choice(STACKS) for item in bag}
    facts = [*_situation(rng, names, player, items), near_fact(near), bag_fact(list(carried.items())), *near]
    for item in items:
        facts += [carry_fact(item, item, carried.get(item, 0)), *_knowledge(rng, names, item)]
    return facts


def _situation(rng: random.Random, names: Names, player: str, items: list[str]) -> list[Fact]:
    hour, minute = rng.randrange(24), rng.randrange(60)
    part = next((word for start, word in reversed(HOURS) if hour >= start), "night")
    held = rng.choice(items) if rng.random() < 0.7 else "nothing"
    you = rng.choice(
        (
            "standing",
            "standing",
            f"following {player}",
            f"going to the {names.place()}",
            f"following {names.player()}",
        )
    )
    offered = [
        (0.93, Fact("time", f"{part}, {hour:02}:{minute:02}", "time", "time")),
        (0.9, Fact("ground", draw("ground", names), "ground", "ground")),
        (0.9, Fact("player", held, held, f"holds:{held}")),
        (0.9, Fact("you", you, "you", "state")),
        (0.35, Fact("weather", draw("weather", names), "weather", "weather")),
    ]
    return [fact for chance, fact in offered if rng.random() < chance]


def direction(rng: random.Random) -> str:
    """Where something is, as the runtime says it."""
    distance = rng.choice((0, 2, 3, 4, 6, 9)) if rng.random() < 0.3 else rng.randint(2, 200)
    if distance < 2:
        return "here"
    height = rng.choice(("", "", "", "", ", above", ", below"))
    return f"{distance} steps {rng.choice(COMPASS)}{height}"


def _near(rng: random.Random, names: Names, player: str) -> list[Fact]:
    facts: dict[str, Fact] = {}
    for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 6, 7))):
        roll = rng.random()
        if roll < 0.5:
            name = names.place()
            if rng.random() < 0.35 and facts:
                name = f"{names.rng.choice(list(facts)).split(' ')[0]} {names.place().split(' ')[-1]}"
            label, source = name, f"place:{name}"
        elif roll < 0.72:
            name = names.player()
            label, source = f"{name} (player)", f"player:{name}"
        elif roll < 0.88:
            name = names.mob()
            label, source = f"{name} (mob)", f"mob:{name}"
        else:
            name = names.npc()
            label, source = f"{name} (townsperson)", f"npc:{name}"
        if name != player and name not in facts:
            facts[name] = Fact(label, direction(rng), name, source)
    return list(facts.values())


def ingredients(rng: random.Random, names: Names) -> str:
    """A crafting recipe as the runtime words it."""
    parts = [
        f"{rng.choice((1, 1, 2, 3, 4, 5, 6, 8, 9))} {names.item()}"
        for _ in range(rng.choice((1, 2, 2, 2, 3)))
    ]
    text = list_up(parts)
    return f"{text} (makes {rng.choice((2, 3, 4, 5, 6, 8, 9))})" if rng.random() < 0.3 else text


def _knowledge(rng: random.Random, names: Names, item: str) -> list[Fact]:
    real = names.recipes.get(item) if rng.random() < 0.7 else None
    if real is None:
        count = rng.choice((0, 1, 1, 1, 1, 2))
        real = [
            f"{names.item()} {COOKED}" if rng.random() < 0.15 else ingredients(rng, names)
            for _ in range(count)
        ]
    facts = [recipe_fact(item, item, real)]
    if rng.random() < 0.55:
        made = [names.item() for _ in range(rng.choice((1, 2, 2, 3)))]
        if rng.random() < 0.3:
            made.append(f"{rng.randint(2, 30)} more")
        facts.append(Fact(item, list_up(made), item, f"uses:{item}"))
    return facts
