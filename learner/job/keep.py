"""What is kept of earlier nights: all runs and versions come in, those that nothing asks for are deleted.

Kept are the newest runs, those whose version an alias names or a ban (a version of an older release has its
turns nowhere else, and later data is compared with them), and versions by the registry's own rule. A snapshot
goes with the run that made it; those that an admin made stay. No run keeps a word of a player who was erased.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from agent_runtime import files
from agent_runtime.config import Settings
from agent_runtime.errors import NightError
from agent_runtime.journal.source import erasures, open_source
from agent_runtime.nights import runs
from agent_runtime.nights.erased import purge
from agent_runtime.nights.runs import Run, read
from agent_runtime.registry.retention import reasons_to_keep
from agent_runtime.registry.store import Registry
from learner.job.register import WHO
from learner.job.work import Sealed, snapshot_of


def tidy(settings: Settings, registry: Registry) -> list[str]:
    """Delete what is too old; returns the ids of runs and versions that are gone. Raises `RegistryError`,
    `OSError`, and once the old is gone `JournalError` and `NightError` for what holds words of players who
    were erased."""
    state = registry.state()
    found = runs.runs(settings.learner_folder)
    named = {number for number in state.aliases.values() if number is not None} | set(state.banned)
    old = [run for run in found[: -settings.learn.keep_runs] if not run.alive and _version(run) not in named]
    kept = {_snapshot(settings, run) for run in found if run not in old}
    for run in old:
        snapshot = _snapshot(settings, run)
        if snapshot and snapshot not in kept:
            files.remove_folder(snapshot)
        files.remove_folder(run.folder)
    versions = registry.versions()
    limits = {"days": settings.registry.keep_days, "keep": settings.registry.keep}
    reasons = reasons_to_keep(versions, state, datetime.now(UTC), **limits)
    going = [version for version in versions if version.number not in reasons]
    for version in going:
        registry.remove(version.number, who=WHO, why="too old")
    _forget_erased(settings, registry)
    return [run.asked.id for run in old] + [version.id for version in going]


def _forget_erased(settings: Settings, registry: Registry) -> None:
    """No run keeps words of players who were erased since; the account of the run stays."""
    if settings.journal_path.exists():
        with open_source(settings.journal_path) as source:
            erased = erasures(source)
        purge(settings.learner_folder, registry, erased, WHO)


def _version(run: Run) -> int | None:
    return run.outcome.version if run.outcome else None


def _snapshot(settings: Settings, run: Run) -> Path | None:
    with suppress(NightError):
        return snapshot_of(settings, read(run.folder / "snapshot.json", Sealed))
    return None
