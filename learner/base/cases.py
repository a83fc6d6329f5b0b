"""Evaluation cases: a seed comes in; `data/eval/*.jsonl` goes out, one case per line.

Names, values and wordings come from the lists that training never sees.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange, Fact
from learner.base.corpus import add_history, draw_turn
from learner.base.scene import Scene, make_scene
from learner.base.turns import Turn

SLICES = (
    "recipe",
    "uses",
    "directions",
    "facts",
    "unknown",
    "action",
    "false_action",
    "refusal",
    "style",
    "memory",
)
PER_SLICE = 100
SEED = "evaluation"
KNOWN = ", known wording"


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


def make_cases(per_slice: int = PER_SLICE, new_wordings: bool = True) -> dict[str, list[Case]]:
    """Cases by slice, the same on every call. Without `new_wordings` only the names are new."""
    found: dict[str, list[Case]] = defaultdict(list)
    number = 0
    while any(len(found[name]) < per_slice for name in SLICES):
        number += 1
        rng = random.Random(f"{SEED}:{new_wordings}:{number}")
        scene = make_scene(rng, unseen=True)
        scene.new_wordings = new_wordings
        add_history(scene, rng.choice((0, 0, 1, 2, 4, 8)), shown=2)
        turn = draw_turn(scene)
        name = turn.slice if new_wordings else f"{turn.slice}{KNOWN}"
        if len(found[turn.slice]) < per_slice:
            found[turn.slice].append(_case(name, len(found[turn.slice]) + 1, scene, turn))
    return {name: found[name] for name in SLICES}


def _case(name: str, number: int, scene: Scene, turn: Turn) -> Case:
    check: Mapping[str, Any] = turn.check
    history = tuple(scene.history)
    return Case(
        f"{name}-{number}", name, scene.persona, history, turn.facts, scene.player, turn.line, dict(check)
    )


def write_cases(folder: Path, per_slice: int = PER_SLICE) -> None:
    """Write one file per slice, and one with a quarter as many cases each in known wordings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, cases in make_cases(per_slice).items():
        _write(folder / f"{name}.jsonl", cases)
    known = make_cases((per_slice + 3) // 4, new_wordings=False)
    _write(folder / "known_wordings.jsonl", [case for cases in known.values() for case in cases])


def _write(path: Path, cases: list[Case]) -> None:
    lines = (json.dumps(_slim(case), ensure_ascii=False) for case in cases)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _slim(case: Case) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(case)
    for key in ("canned", "sampling", "inventory"):
        del content["persona"][key]
    return content


def read_cases(path: Path) -> list[Case]:
    """The cases of one file. Raises `msgspec.ValidationError` for a broken line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line.encode(), type=Case) for line in lines if line.strip()]
