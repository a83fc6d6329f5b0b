"""What is kept of earlier nights: all runs and versions come in, those that nothing asks for are deleted.

Kept are the newest runs, those whose version an alias names, and versions by the registry's own rule. A
snapshot goes with the run that made it; those that an admin made stay. No run keeps a word of a player who
was erased.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from agent_runtime.config import Settings
from agent_runtime.errors import NightError
from agent_runtime.journal.source import erasures, open_source
from agent_runtime.nights import runs
from agent_runtime.nights.runs import Run, read
from agent_runtime.registry.retention import reasons_to_keep
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import remove_void
from learner.job.judge import JUDGED, STAGED, WITHOUT
from learner.job.register import WHO
from learner.job.work import DATASET, TRAINING, Sealed


def tidy(settings: Settings, registry: Registry) -> list[str]:
    """Delete what is too old; returns the ids of runs and versions that are gone."""
    state = registry.state()
    found = runs.runs(settings.learner_folder)
    _forget_erased(settings, found)
    named = set(state.aliases.values())
    old = [run for run in found[: -settings.learn.keep_runs] if not run.alive and _version(run) not in named]
    kept = {_snapshot(run) for run in found if run not in old}
    for run in old:
        snapshot = _snapshot(run)
        if snapshot and snapshot not in kept:
            shutil.rmtree(snapshot, ignore_errors=True)
        shutil.rmtree(run.folder, ignore_errors=True)
    versions = registry.versions()
    limits = {"days": settings.registry.keep_days, "keep": settings.registry.keep}
    reasons = reasons_to_keep(versions, state, datetime.now(UTC), **limits)
    going = [version for version in versions if version.number not in reasons]
    for version in going:
        registry.remove(version.number, who=WHO, why="too old")
    return [run.asked.id for run in old] + [version.id for version in going]


def _forget_erased(settings: Settings, found: Sequence[Run]) -> None:
    """Delete the data of runs that hold words of players who were erased since, and what was written from
    it; the account of the run stays."""
    holding = [folder for run in found if (folder := run.folder / DATASET).is_dir()]
    if not holding or not settings.journal_path.exists():
        return
    with open_source(settings.journal_path) as source:
        void = remove_void(holding, erasures(source))
    for folder in void:
        for name in (TRAINING, WITHOUT, JUDGED, STAGED):
            shutil.rmtree(folder.parent / name, ignore_errors=True)


def _version(run: Run) -> int | None:
    return run.outcome.version if run.outcome else None


def _snapshot(run: Run) -> Path | None:
    with suppress(NightError):
        return Path(read(run.folder / "snapshot.json", Sealed).folder)
    return None
