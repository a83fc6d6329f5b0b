"""Lines typed by hand for the shipped personas (`data/eval/*.toml`) come in; evaluation cases go out, their
facts chosen by the functions of serving. A line that does not bring the facts it asks for is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from agent_runtime.bridge.parts import Item, ItemCount, Near, Position, Recipe, Snapshot
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.persona import Persona, load_personas
from agent_runtime.npc.prompt import Exchange, Fact
from agent_runtime.npc.world import facts_for
from learner.base.cases import Case
from learner.base.corpus import MOST_FACTS

DATA = Path(__file__).resolve().parents[2] / "data"
SHOWN = 3  # exchanges of earlier talk in the prompt


class _Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    player: str
    time_of_day: float
    biome: str
    surface: str
    held: str
    near: tuple[Near, ...] = ()


class _Typed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line and what is asked of the reply; with nothing asked, it must sound like the persona."""

    persona: str
    line: str
    doing: str = "standing"
    told: tuple[Exchange, ...] = ()
    quotes: tuple[str, ...] = ()
    contains_any: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    admits: Literal[True] | None = None
    denies: Literal[True] | None = None
    refuses: Literal[True] | None = None
    modest: Literal[True] | None = None
    action: str = ""
    arguments: dict[str, Any] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scene: _Scene
    case: tuple[_Typed, ...]


class _Stored(msgspec.Struct):
    items: tuple[Item, ...]
    recipes: tuple[Recipe, ...]


@cache
def shipped_catalogue() -> Catalogue:
    """Minetest Game's items and recipes."""
    stored = msgspec.json.decode((DATA / "catalogue.json").read_bytes(), type=_Stored)
    return Catalogue(stored.items, stored.recipes)


def render_cases(path: Path) -> list[Case]:
    """The file's cases, in its order. Raises `ValueError` for a fact that the line does not ask for."""
    file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    personas = load_personas(DATA / "personas")
    return [
        _case(f"{path.stem}-{number}", path.stem, personas[typed.persona], file.scene, typed)
        for number, typed in enumerate(file.case, 1)
    ]


def _case(name: str, title: str, persona: Persona, scene: _Scene, typed: _Typed) -> Case:
    known = facts_known(persona, scene.player, typed.told)
    facts = facts_for(typed.line, known, _snapshot(persona, scene, typed), shipped_catalogue(), MOST_FACTS)
    shown = typed.told[-SHOWN:]
    check = _check(name, persona, typed, facts)
    return Case(name, title, persona, shown, tuple(facts), scene.player, typed.line, check)


def _snapshot(persona: Persona, scene: _Scene, typed: _Typed) -> Snapshot:
    return Snapshot(
        taken=0,
        time_of_day=scene.time_of_day,
        npc_pos=Position(0, 0, 0),
        player_pos=Position(2, 0, 0),
        biome=scene.biome,
        surface=scene.surface,
        held=scene.held,
        doing=typed.doing,
        near=tuple(near for near in scene.near if near.name != persona.name),
        inventory=tuple(ItemCount(item, count) for item, count in persona.inventory.items()),
    )


def _check(name: str, persona: Persona, typed: _Typed, facts: Sequence[Fact]) -> dict[str, Any]:
    if typed.action:
        return {"action": typed.action, "arguments": typed.arguments}
    told = [fact.value for fact in facts if fact.source in typed.quotes]
    if len({fact.source for fact in facts} & set(typed.quotes)) < len(typed.quotes):
        raise ValueError(f"{name}: {typed.line!r} does not bring the facts {', '.join(typed.quotes)}")
    check: dict[str, Any] = {"no_action": True}
    if told or typed.contains_any:
        check["contains_any"] = [*told, *typed.contains_any]
    if typed.excludes:
        check["excludes"] = list(typed.excludes)
    check |= {key: True for key in ("admits", "denies", "refuses", "modest") if getattr(typed, key)}
    return check if len(check) > 1 else {**check, "voice": persona.voice}
