"""Evaluation cases: a seed comes in; cases by slice go out, to be kept one per line of a file. Names, values
and wordings are those that training never sees. `casefiles` writes what is shipped.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange, Fact
from learner.base import acting, asking, probing, talking
from learner.base.corpus import HISTORY, Maker, add_history, as_served
from learner.base.grammar import ENGLISH, GERMAN
from learner.base.scene import USUAL, Scene, make_scene
from learner.base.turns import Turn

SEED = "evaluation"
KNOWN = ", known wording"
LONG = 8
_TELLING = ((talking.tell, 2.0), (talking.introduction, 1.0))
_OTHER_TALK = tuple(entry for entry in HISTORY if entry[0] not in (talking.tell, talking.introduction))
_PROMPT_KEYS = ("id", "name", "role", "voice", "about", "capabilities")
_FACT_KEYS = tuple(field.name for field in fields(Fact))
_FACTUAL = ("contains_any", "excludes", "denies", "admits", "no_action")
_EXCLUSIVE = ("confusers",)  # slices with no wordings that training knows


class Case(msgspec.Struct, frozen=True):
    """One question to the model, with everything the prompt needs, and how to judge the reply."""

    id: str
    slice: str
    persona: Persona
    history: tuple[Exchange, ...]
    facts: tuple[Fact, ...]
    player: str
    line: str
    check: dict[str, Any]


class _Slice(NamedTuple):
    """How the cases of a slice are drawn: by which makers and how often each, which turns of theirs count
    and which of their checks are asked here (all when none is named). With `between` the player tells
    something first, and the question comes so many exchanges later. What is not English is checked for it."""

    makers: tuple[tuple[Maker, float], ...]
    wanted: Callable[[Turn], bool] = lambda turn: True
    keys: tuple[str, ...] = ()
    between: tuple[int, ...] = ()
    language: str = ENGLISH


def _rare(turn: Turn) -> bool:
    return turn.check.get("action", USUAL[0]) not in USUAL


SLICES: dict[str, _Slice] = {
    "recipe": _Slice(
        ((asking.recipe, 6), (asking.two, 2), (asking.bare, 2)), lambda turn: turn.slice == "recipe"
    ),
    "confusers": _Slice(((probing.recipe, 3), (probing.place, 1))),
    "uses": _Slice(((asking.uses, 1),), lambda turn: turn.slice == "uses"),
    "directions": _Slice(
        ((asking.where, 4), (asking.bare, 1), (asking.two_places, 1)), lambda turn: turn.slice == "directions"
    ),
    "facts": _Slice(
        (
            (asking.single, 5),
            (asking.near, 2),
            (asking.carry, 2),
            (asking.carry_one, 3),
            (asking.knows, 3),
            (talking.myself, 3),
        ),
        lambda turn: turn.slice in ("facts", "style"),
        _FACTUAL,
    ),
    "unknown": _Slice(
        (
            (asking.unknown_item, 4),
            (asking.unknown_place, 3),
            (asking.knows, 2),
            (asking.uses, 1),
            (acting.to_somebody, 1),
            (acting.to_place, 1),
        ),
        lambda turn: turn.slice == "unknown",
    ),
    "action": _Slice(
        (
            (acting.simple, 4),
            (acting.emote, 2),
            (acting.to_somebody, 2),
            (acting.to_place, 2),
            (acting.give, 3),
        ),
        lambda turn: turn.slice == "action",
    ),
    "rare_action": _Slice(((acting.rare, 1),), _rare),
    "false_action": _Slice(
        ((talking.not_orders, 3), (talking.talk, 1), (talking.rated, 0.3)), keys=("no_action",)
    ),
    "refusal": _Slice(((acting.forbidden, 6), (acting.injection, 5))),
    "flattery": _Slice(((probing.flattery, 1),)),
    "style": _Slice(((talking.talk, 4), (talking.myself, 1)), keys=("voice", "no_action")),
    "talk": _Slice(((talking.talk, 1),), lambda turn: "occasion" in turn.check),
    "memory": _Slice(((talking.name, 2), (talking.recall, 4), (talking.said, 2)), between=(0, 0, 1, 2, 4)),
    "long_memory": _Slice(((talking.name, 1), (talking.recall, 2)), between=(LONG, LONG + 1, LONG + 2)),
    "german": _Slice(
        (
            (asking.recipe, 4),
            (asking.uses, 3),
            (asking.where, 4),
            (asking.single, 1),
            (asking.carry, 1),
            (asking.carry_one, 2),
            (asking.unknown_item, 2),
            (asking.unknown_place, 2),
            (acting.simple, 4),
            (acting.emote, 2),
            (acting.to_somebody, 1),
            (acting.to_place, 2),
            (acting.give, 3),
            (acting.forbidden, 2),
            (acting.injection, 1),
            (talking.talk, 2),
            (talking.myself, 2),
            (talking.name, 2),
        ),
        keys=(*_FACTUAL, "refuses", "action", "arguments"),
        language=GERMAN,
    ),
}


def make_cases(
    per_slice: int, new_wordings: bool = True, more: Mapping[str, int] = MappingProxyType({})
) -> dict[str, list[Case]]:
    """Cases by slice, the same on every call; in `more` so many times as many. Without `new_wordings`
    only the names are new, and slices without known wordings are left out."""
    names = [name for name in SLICES if new_wordings or name not in _EXCLUSIVE]
    return {name: _draw(name, per_slice * more.get(name, 1), new_wordings) for name in names}


def _draw(name: str, count: int, new_wordings: bool) -> list[Case]:
    found: list[Case] = []
    lines: set[str] = set()
    number = 0
    while len(found) < count:
        number += 1
        if number > 1000 * count:
            raise ValueError(f"the wordings of {name!r} do not suffice for {count} cases")
        rng = random.Random(f"{SEED}:{name}:{new_wordings}:{number}")
        scene = make_scene(rng, unseen=True, language=SLICES[name].language)
        scene.new_wordings = new_wordings
        turn = _turn(scene, SLICES[name])
        if turn and turn.line not in lines:
            lines.add(turn.line)
            title = name if new_wordings else f"{name}{KNOWN}"
            found.append(_case(f"{title}-{len(found) + 1}", title, scene, turn, SLICES[name]))
    return found


def _turn(scene: Scene, how: _Slice) -> Turn | None:
    rng = scene.rng
    if how.between:
        add_history(scene, 1, shown=1, makers=_TELLING)
        add_history(scene, rng.choice(how.between), shown=2, makers=_OTHER_TALK)
    else:
        add_history(scene, rng.choice((0, 0, 1, 2, 4, LONG)), shown=2)
    makers, weights = zip(*how.makers, strict=True)
    maker: Maker = rng.choices(makers, weights=weights)[0]
    made = maker(scene)
    if made is None or not how.wanted(made):
        return None
    right = made.check.get("contains_any", ())
    if "here" in right or (how is SLICES["long_memory"] and {*_told(scene)}.isdisjoint(right)):
        return None  # anybody says "here"
    return as_served(scene, made)


def _told(scene: Scene) -> list[str]:
    return [*scene.told.values(), *([scene.told_name] if scene.told_name else [])]


def _case(name: str, title: str, scene: Scene, turn: Turn, how: _Slice) -> Case:
    check = {key: value for key, value in turn.check.items() if not how.keys or key in how.keys}
    if how.language != ENGLISH:
        check["language"] = how.language
    if "excludes" in check:
        told = {fact.value for fact in turn.facts}
        check["excludes"] = [value for value in check["excludes"] if value in told]
    return Case(
        name,
        title,
        scene.persona,
        tuple(scene.history),
        turn.facts,
        scene.player,
        turn.line,
        check,
    )


def save_cases(path: Path, cases: list[Case]) -> None:
    """One case per line: of the persona what the prompt shows, and facts as lists of their fields."""
    lines = (json.dumps(_slim(case), ensure_ascii=False) for case in cases)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _slim(case: Case) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(case)
    content["persona"] = {key: content["persona"][key] for key in _PROMPT_KEYS}
    content["facts"] = [[fact[key] for key in _FACT_KEYS] for fact in content["facts"]]
    return content


def read_cases(path: Path) -> list[Case]:
    """The cases of one file. Raises `msgspec.ValidationError` for a broken line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_read(json.loads(line)) for line in lines if line.strip()]


def _read(content: dict[str, Any]) -> Case:
    facts = [dict(zip(_FACT_KEYS, fact, strict=True)) for fact in content.get("facts", ())]
    return msgspec.convert({**content, "facts": facts}, Case)
