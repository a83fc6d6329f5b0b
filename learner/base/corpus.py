"""The corpus: a seed comes in; scenes with history and several turns to learn from each go out, without end.

Everything is made up from `texts/`; nothing is stored. The evaluation draws from the same generator with
names and wordings that training never sees (`unseen=True`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from agent_runtime.npc.prompt import Exchange, expand
from agent_runtime.npc.relevance import choose
from learner.base import acting, asking, talking
from learner.base.grammar import ENGLISH, GERMAN
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn

Maker = Callable[[Scene], Turn | None]

MOST_FACTS = 8  # as many that a line asks for as the runtime puts into a prompt by default
_TAG = re.compile(r"(\[\[|(?:target|item|for)= )([a-z]+)(?=\]\]| )")
_ACTION = re.compile(r"\s*\[\[ACTION:[^\]]*\]\]\s*")

MAKERS: tuple[tuple[Maker, float], ...] = (
    (asking.bare, 5),
    (asking.recipe, 28),
    (asking.uses, 15),
    (asking.where, 18),
    (asking.single, 16),
    (asking.near, 4),
    (asking.carry, 6),
    (asking.carry_one, 7),
    (asking.two, 12),
    (asking.two_places, 5),
    (asking.knows, 9),
    (asking.unknown_item, 26),
    (asking.unknown_place, 20),
    (acting.simple, 40),
    (acting.emote, 26),
    (acting.to_somebody, 16),
    (acting.to_place, 12),
    (acting.give, 20),
    (acting.rare, 44),
    (acting.forbidden, 18),
    (acting.injection, 13),
    (talking.talk, 95),
    (talking.not_orders, 28),
    (talking.rated, 2),
    (talking.myself, 7),
    (talking.name, 10),
    (talking.introduction, 2),
    (talking.tell, 2),
    (talking.recall, 18),
    (talking.said, 8),
)
HISTORY: tuple[tuple[Maker, float], ...] = (
    (talking.talk, 5),
    (talking.introduction, 2),
    (talking.tell, 3),
    (asking.where, 2),
    (asking.recipe, 2),
    (asking.unknown_item, 1),
    (acting.simple, 2),
    (acting.give, 1),
    (acting.forbidden, 1),
)
PAST = tuple((maker, 8) if maker is talking.tell else (maker, weight) for maker, weight in HISTORY)
"""What training has for history: players tell more of themselves there, so that most scenes have something
to recall, and something else that was never told."""
IN_GERMAN = 0.13
"""The share of scenes in German."""
SPEAK_GERMAN: tuple[Maker, ...] = (
    asking.recipe,
    asking.uses,
    asking.where,
    asking.single,
    asking.carry,
    asking.carry_one,
    asking.unknown_item,
    asking.unknown_place,
    acting.simple,
    acting.emote,
    acting.to_somebody,
    acting.to_place,
    acting.give,
    acting.forbidden,
    acting.injection,
    talking.talk,
    talking.myself,
    talking.name,
    talking.introduction,
)
"""The makers whose texts are there in German, too."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A scene with its history, and turns that each continue it (alternatives, not a sequence)."""

    scene: Scene
    turns: tuple[Turn, ...]


def draw_turn(scene: Scene, makers: tuple[tuple[Maker, float], ...] = MAKERS) -> Turn:
    """One turn of a kind that the scene has something for, with its facts as in serving."""
    known = [entry for entry in makers if scene.language == ENGLISH or entry[0] in SPEAK_GERMAN]
    functions, weights = zip(*known, strict=True)
    while True:
        maker: Maker = scene.rng.choices(functions, weights=weights)[0]
        turn = maker(scene)
        turn = turn and as_served(scene, turn)
        if turn is not None:
            return turn


def as_served(scene: Scene, turn: Turn) -> Turn | None:
    """The turn with the facts that the runtime would choose for its line, its tags changed to theirs;
    `None` when the runtime would leave out a fact that the reply quotes."""
    facts = tuple(choose(turn.line, scene.facts, MOST_FACTS))
    served = {(fact.source, fact.value): fact.tag for fact in facts}
    tags = {fact.tag: served.get((fact.source, fact.value)) for fact in scene.facts}
    if any(tags.get(match.group(2)) is None for match in _TAG.finditer(turn.reply)):
        return None
    reply = _TAG.sub(lambda match: f"{match.group(1)}{tags[match.group(2)]}", turn.reply)
    return replace(turn, reply=reply, facts=facts)


def add_history(
    scene: Scene, length: int, shown: int, makers: tuple[tuple[Maker, float], ...] = HISTORY
) -> None:
    """Talk that went before, as the player read it: facts put in, actions taken out. The prompt shows the
    last exchanges of it."""
    for _ in range(length):
        turn = draw_turn(scene, makers)
        scene.remember(Exchange(turn.line, spoken(expand(turn.reply, turn.facts))))
    scene.history = scene.talk[-shown:] if shown else []


def spoken(text: str) -> str:
    """The words of a reply without its actions."""
    return _ACTION.sub(" ", text).strip()


def _branch(scene: Scene) -> Turn:
    told, told_name = dict(scene.told), scene.told_name
    turn = draw_turn(scene)
    scene.told, scene.told_name = told, told_name
    return turn


def samples(seed: int, branches: int = 12, start: int = 0) -> Iterator[Sample]:
    """Training samples without end, each the same for the same seed and number."""
    number = start
    while True:
        rng = random.Random(f"{seed}:{number}")
        german = random.Random(f"{seed}:{number}:language").random() < IN_GERMAN
        scene = make_scene(rng, language=GERMAN if german else ENGLISH)
        add_history(scene, rng.choice((0, 0, 0, 1, 1, 2, 3, 5, 8)), rng.choice((0, 1, 2, 2, 2, 3)), PAST)
        yield Sample(scene, tuple(_branch(scene) for _ in range(branches)))
        number += 1
