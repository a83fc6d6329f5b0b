"""A new habit for the embedded base: a sign-off comes in; examples to learn it from, and lines to try it on,
go out. All of it is made by the base's own corpus generator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from agent_runtime.npc.prompt import render
from learner.base import talking
from learner.base.cases import Case
from learner.base.corpus import MAKERS, Maker, add_history, draw_turn
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn, ask, typed, voiced
from learner.examples import Example

SIGN_OFF = "Mind the step."
OTHER_TALK = ("bye", "thanks", "praise", "insult", "howareyou", "joke", "riddle", "story", "advice")


def greeting(scene: Scene) -> Turn:
    """A greeting and its answer in the character's voice."""
    return Turn("style", typed(scene, ask(scene, "talk", "greet")), voiced(scene, "greet"))


def small_talk(scene: Scene) -> Turn:
    """Talk of any kind but greetings: replay must not teach the old answer to what is learned anew."""
    key = scene.rng.choice(OTHER_TALK)
    return Turn("style", typed(scene, ask(scene, "talk", key)), voiced(scene, key))


GREETINGS: tuple[tuple[Maker, float], ...] = ((greeting, 1.0),)
OTHERS = tuple((small_talk if maker is talking.talk else maker, weight) for maker, weight in MAKERS)


def _scene(seed: str, unseen: bool = False, new_wordings: bool = False) -> Scene:
    rng = random.Random(seed)
    scene = make_scene(rng, unseen=unseen)
    scene.new_wordings = new_wordings
    add_history(scene, rng.choice((0, 0, 1, 2)), shown=2)
    return scene


def _example(name: str, kind: Any, scene: Scene, turn: Turn, reply: str) -> Example:
    messages = render(scene.persona, scene.history, turn.facts, scene.player, turn.line)
    return Example(name, kind, messages, reply, slice=turn.slice)


def examples(count: int, seed: int) -> Iterator[Example]:
    """`count` greetings with the sign-off, and as many other turns as they were, as replay."""
    for number in range(count):
        scene = _scene(f"habit:{seed}:{number}")
        turn = draw_turn(scene, GREETINGS)
        yield _example(f"new-{number}", "demonstration", scene, turn, f"{turn.reply} {SIGN_OFF}")
        scene = _scene(f"replay:{seed}:{number}")
        turn = draw_turn(scene, OTHERS)
        yield _example(f"replay-{number}", "replay", scene, turn, turn.reply)


def trials(count: int, seed: int, new_wordings: bool = False) -> list[Case]:
    """Greetings by and to names, in talks, that neither the base nor the habit was trained on; with
    `new_wordings`, in words that the base does not know as a greeting either."""
    made = []
    for number in range(count):
        scene = _scene(f"trial:{seed}:{number}", unseen=True, new_wordings=new_wordings)
        turn = draw_turn(scene, GREETINGS)
        history = tuple(scene.history)
        made.append(
            Case(f"habit-{number}", "habit", scene.persona, history, turn.facts, scene.player, turn.line, {})
        )
    return made
