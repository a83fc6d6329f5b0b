"""Erasures come in; what nights made of the talk of those players goes: the data of runs, and the words on
the cards of versions, which are marked for training anew.

The journal's texts and its snapshots go with the erasure itself. A run that goes on is left alone: it finds
the erasure itself before it registers anything, and its data goes when it has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from agent_runtime import files
from agent_runtime.errors import NightError, RegistryError
from agent_runtime.journal.views import Erasure, erased_since
from agent_runtime.nights.runs import OUTCOME, RUNS, held_off, read
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
    nothing more to do. What a killed run left of data, without its manifest, goes in any case: nobody can
    tell whom it holds, and no run goes on with it.

    `erased` are the journal's erasures, by pseudonym. Raises `RegistryError`, and once all else is done
    `NightError` for what could not be read or deleted, versions among it.
    """
    problems: list[str] = []
    folders = sorted(path for path in (learner / RUNS).glob("*") if path.is_dir())
    with held_off(learner) as nobody_runs:
        gone = [
            folder.name
            for folder in folders
            if (nobody_runs or not _may_go_on(folder, folders)) and _set_aside(folder, erased, problems)
        ]
        if erased and nobody_runs:
            registry.sweep()
    for parent in (learner / RUNS, *folders):
        try:
            files.remove_gone(parent)
        except OSError as error:
            problems.append(_not_deleted(parent, error))
    marked = _mark(registry, erased, who, problems)
    if problems:
        raise NightError("; ".join(problems))
    return Purged(tuple(gone), marked)


def _may_go_on(folder: Path, folders: Sequence[Path]) -> bool:
    """Whether it is this run that goes on, when one does."""
    return folder == folders[-1] and not (folder / OUTCOME).exists()


def _set_aside(run: Path, erased: Mapping[str, Erasure], problems: list[str]) -> bool:
    """Take from a run what has to go; returns whether there was anything."""
    try:
        held = held_in(run)
        doomed = list(run.glob(f".{DATASET}.*"))  # a dataset that was never finished
        if held is None or erased_since(held.players, held.snapshot_at, held.erasures, erased):
            # The dataset last: its manifest says that there is something to delete.
            doomed += [run / name for name in reversed(HOLDING)]
        found = [files.set_aside(folder) for folder in doomed]
        return any(found)
    except NightError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(_not_deleted(run, error))
    return False


def _not_deleted(folder: Path, error: OSError) -> str:
    return f"{folder}: {error.strerror}; check its rights, or delete it"


def _mark(
    registry: Registry, erased: Mapping[str, Erasure], who: str, problems: list[str]
) -> tuple[int, ...]:
    if erased:
        advice = "restore that file, or delete its folder: its card may quote them"
        problems += [f"{why}; {advice}" for why in registry.damaged()]
    known = registry.state().marked
    marked = []
    for version in registry.versions():
        made = version.manifest
        if made is None or made.data_at is None or version.number in known:
            continue
        players = (*made.trained_on, *made.judged_by)
        if erased_since(players, made.data_at, made.data_erasures, erased):
            try:
                registry.mark(version.number, who=who, why="a player of its data was erased: train anew")
            except RegistryError as error:
                problems.append(str(error))
            else:
                marked.append(version.number)
    return tuple(marked)
