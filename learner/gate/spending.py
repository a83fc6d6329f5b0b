"""How much error tonight's decision may spend: looks at earlier nights come in, tonight's α goes out.

All looks against one champion together spend at most α: look k may spend 2α/((k + 1)(k + 2)), the first k
together αk/(k + 2) (a Bonferroni over nights without end, valid however the nights depend on each other). A
new champion starts anew. A night that never came to ask the raters, or that registers nothing, spends none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agent_runtime import files
from agent_runtime.errors import RegistryError
from agent_runtime.registry.store import LOCK, LOCK_SECONDS

LOOKS = "gate.jsonl"

Rule = Literal["products", "squares"]
"""By which looks share α. By squares, look k had 6/(π² k²): what was judged so is verified so."""


class Look(Struct, frozen=True, forbid_unknown_fields=True):
    """One question to the raters: the champion of that moment (the sha256 of its adapter, empty for the bare
    base), the challenger's, and what the look spent."""

    champion: str
    challenger: str
    alpha: float
    p: float


def share(look: int, rule: Rule = "products") -> float:
    """The part of α that look number 1, 2, 3 … may spend; all of them sum up to 1."""
    if rule == "squares":
        return 6 / (math.pi**2 * look**2)
    return 2 / ((look + 1) * (look + 2))


def number(looks: Sequence[Look], champion: str, challenger: str = "") -> int:
    """Which look at this champion it is. The same challenger again is the same look; without one, it is that
    of a challenger to come."""
    asked = list(dict.fromkeys(look.challenger for look in looks if look.champion == champion))
    return asked.index(challenger) + 1 if challenger in asked else len(asked) + 1


def read_looks(registry: Path) -> list[Look]:
    """The looks so far. Raises `RegistryError`."""
    path = registry / LOOKS
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Look) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise RegistryError(
            f"{path}: {error}. It says how much error earlier nights have spent; restore it, or delete it "
            "and begin to count anew"
        ) from error


def record(registry: Path, look: Look) -> None:
    """Write a look down, once for each challenger. Raises `RegistryError`."""
    try:
        registry.mkdir(parents=True, exist_ok=True)
        with files.locked(registry / LOCK, LOCK_SECONDS):
            looks = read_looks(registry)
            if any((old.champion, old.challenger) == (look.champion, look.challenger) for old in looks):
                return
            lines = b"".join(msgspec.json.encode(each) + b"\n" for each in (*looks, look))
            files.replace(registry / LOOKS, lines)
    except (OSError, TimeoutError) as error:
        raise RegistryError(f"{registry}: {error}; check the folder and its rights") from error
