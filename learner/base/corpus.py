"""The corpus: a seed comes in; scenes with history and several turns to learn from each go out, without end.

Everything is made up from `texts/`; nothing is stored. The evaluation draws from the same generator with
names and wordings that training never sees (`unseen=True`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent_runtime.npc.prompt import Exchange, expand
from learner.base import acting, asking, talking
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn

Maker = Callable[[Scene], Turn | None]

_ACTION = re.compile(r"\s*\[\[ACTION:[^\]]*\]\]\s*")

MAKERS: tuple[tuple[Maker, float], ...] = (
    (asking.recipe, 14),
    (asking.uses, 7),
    (asking.where, 10),
    (asking.single, 7),
    (asking.near, 3),
    (asking.carry, 2),
    (asking.carry_one, 3),
    (asking.unknown_item, 6),
    (asking.unknown_place, 4),
    (acting.simple, 9),
    (acting.emote, 4),
    (acting.to_somebody, 5),
    (acting.to_place, 5),
    (acting.give, 7),
    (acting.rare, 5),
    (acting.forbidden, 6),
    (acting.injection, 5),
    (talking.talk, 17),
    (talking.rated, 2),
    (talking.myself, 5),
    (talking.name, 5),
    (talking.introduction, 1.5),
    (talking.tell, 1.5),
    (talking.recall, 3),
    (talking.said, 3),
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


# From which sample on: the share of short contexts, and of bare look-ups. Quoting the right number is the
# last skill to appear; short contexts and little else to learn bring it forward.
PHASES = ((0, 0.9, 0.5), (12_500, 0.35, 0.3), (21_000, 0.2, 0.06))


@dataclass(frozen=True, slots=True)
class Sample:
    """A scene with its history, and turns that each continue it (alternatives, not a sequence)."""

    scene: Scene
    turns: tuple[Turn, ...]


def draw_turn(scene: Scene, makers: tuple[tuple[Maker, float], ...] = MAKERS) -> Turn:
    """One turn of a kind that the scene has something for."""
    functions, weights = zip(*makers, strict=True)
    while True:
        maker: Maker = scene.rng.choices(functions, weights=weights)[0]
        turn = maker(scene)
        if turn is not None:
            return turn


def add_history(scene: Scene, length: int) -> None:
    """Talk that went before, as the player read it: facts put in, actions taken out."""
    for _ in range(length):
        turn = draw_turn(scene, HISTORY)
        reply = spoken(expand(turn.reply, scene.facts))
        if turn.slice == "memory" and turn.check.get("contains_any"):
            scene.told_name = str(turn.check["contains_any"][0])
        scene.history.append(Exchange(turn.line, reply))


def spoken(text: str) -> str:
    """The words of a reply without its actions."""
    return _ACTION.sub(" ", text).strip()


def _branch(scene: Scene, lookups: float) -> Turn:
    told = dict(scene.told)
    turn = asking.lookup(scene) if scene.rng.random() < lookups else None
    turn = turn or draw_turn(scene)
    scene.told = told
    return turn


def samples(seed: int, branches: int = 12, start: int = 0) -> Iterator[Sample]:
    """Training samples without end, each the same for the same seed and number."""
    number = start
    while True:
        rng = random.Random(f"{seed}:{number}")
        _, shortness, share = next(phase for phase in reversed(PHASES) if number >= phase[0])
        short = rng.random() < shortness
        scene = make_scene(rng, short=short)
        add_history(scene, rng.choice((0, 0, 1) if short else (0, 0, 1, 1, 2, 3, 4)))
        yield Sample(scene, tuple(_branch(scene, share) for _ in range(branches)))
        number += 1
