"""Erasures come in; what nights made of the talk of those players goes: the data of runs, and the words on
the cards of versions, which are marked for training anew.

The journal's texts and its snapshots go with the erasure itself. A run that goes on is left alone: it finds
the erasure itself before it registers anything, and its data goes when it has ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from agent_runtime.journal.views import Erasure, erased_since
from agent_runtime.nights.runs import read, runs
from agent_runtime.registry.store import Registry

DATASET = "dataset"
HOLDING = (DATASET, "training", "without", "judged", "version")
"""The folders of a run that hold what players said; the learner makes them under these names."""


class Held(Struct, frozen=True):
    """Of a dataset's manifest: whose words (pseudonyms) are in it, as of when, and how many erasures the
    journal had then (None where that was not counted)."""

    players: tuple[str, ...]
    snapshot_at: datetime
    erasures: int | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """The ids of runs whose data is gone, and the numbers of versions that were marked."""

    runs: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()


def held_in(run: Path) -> Held | None:
    """Whose words a run's data holds; None where there is none. Raises `NightError`."""
    path = run / DATASET / "manifest.json"
    return read(path, Held) if path.exists() else None


def purge(learner: Path, registry: Registry, erased: Mapping[str, Erasure], who: str) -> Purged:
    """Delete what holds words of erased players, and mark the versions made of them; asked again, it finds
    nothing more to do. `erased` are the journal's erasures, by pseudonym. Raises `NightError` and
    `RegistryError`."""
    gone = []
    for run in runs(learner):
        held = None if run.alive else held_in(run.folder)
        if held and erased_since(held.players, held.snapshot_at, held.erasures, erased):
            # The manifest last: it says that there is something to delete.
            for name in reversed(HOLDING):
                shutil.rmtree(run.folder / name, ignore_errors=True)
            gone.append(run.asked.id)
    known = registry.state().marked
    marked = []
    for version in registry.versions():
        made = version.manifest
        if made is None or made.data_at is None or version.number in known:
            continue
        players = (*made.trained_on, *made.judged_by)
        if erased_since(players, made.data_at, made.data_erasures, erased):
            registry.mark(version.number, who=who, why="a player of its data was erased: train anew")
            marked.append(version.number)
    return Purged(tuple(gone), tuple(marked))
