"""Counts what each step of making a dataset lets through, and why the rest stays out. Keeps no contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from msgspec import Struct

Item = TypeVar("Item")


class Step(Struct, frozen=True):
    """One step: how many went on, and how many did not for which reason."""

    name: str
    kept: int
    dropped: dict[str, int]


class Funnel:
    """The steps so far, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def keep(self, name: str, items: Iterable[Item], reason: Callable[[Item], str | None]) -> list[Item]:
        """The items for which `reason` finds nothing to say against."""
        kept, dropped = [], Counter[str]()
        for item in items:
            why = reason(item)
            if why is None:
                kept.append(item)
            else:
                dropped[why] += 1
        self.steps.append(Step(name, len(kept), dict(sorted(dropped.items()))))
        return kept
