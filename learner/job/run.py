"""One night from beginning to end: settings come in, an outcome goes out, and is on disk.

A stage that is done is never done again. Whatever ends the night early, the registry is as it was, and the
reason stands in the run's folder; what kills the process is found out by the next run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from rich.console import Console

from agent_runtime.config import Settings
from agent_runtime.errors import NightError, TownsfolkError
from agent_runtime.nights.runs import STAGES, Outcome
from agent_runtime.registry.store import Registry
from learner.config import Plan, plan_of
from learner.job import judge, lock, work
from learner.job.folder import RunFolder, begin
from learner.job.keep import tidy
from learner.job.limits import Watch
from learner.job.quiet import waiting
from learner.job.show import Show
from learner.job.work import Ends, Night
from learner.train.memory import is_out_of_memory, out_of_memory

Stage = Callable[[Night], Struct]

WORK: Mapping[str, Stage] = {
    "snapshot": work.snapshot,
    "dataset": work.dataset,
    "train": work.training,
    "export": work.export,
    "evaluate": judge.evaluate,
    "gate": judge.gate,
    "register": judge.register,
}


def run(
    settings: Settings,
    why: str,
    *,
    dry: bool = False,
    console: Console | None = None,
    stages: Mapping[str, Stage] = WORK,
) -> Outcome:
    """Run a night, or go on with the one that was killed. Raises `NightBusy`, `NightError` when nothing can
    be written, and `ConfigError` or `ModelFileError` for settings that no night can run with."""
    try:
        return _held(settings, why, dry, console, stages)
    except OSError as error:
        raise NightError(_disk(error)) from error


def _held(
    settings: Settings, why: str, dry: bool, console: Console | None, stages: Mapping[str, Stage]
) -> Outcome:
    learner = settings.learner_folder
    with lock.held(learner):
        plan = plan_of(settings)
        folder = _begun(settings, why, plan, dry=dry)
        with Show(learner, folder.asked.id, console) as show:

            def over(reason: str, what: str) -> None:
                show.console.print(f"failed: {what}", markup=False)
                folder.end(_failed(folder, reason, what))

            with Watch(plan.memory_mb, plan.minutes, over) as watch:
                wait = waiting(settings, show.say)
                night = Night(settings, plan, folder, Registry(settings.registry_path), show, wait, watch)
                outcome = _run(night, stages)
            folder.end(outcome)
            try:
                tidy(settings, night.registry)
            except (TownsfolkError, OSError) as error:
                show.console.print(f"not all that is old was removed: {error}", markup=False)
            return outcome


def _begun(settings: Settings, why: str, plan: Plan, *, dry: bool) -> RunFolder:
    """The killed run if it can be gone on with, otherwise a new one."""
    folder = begin(settings.learner_folder, why, plan.key, plan.seed, dry=dry)
    try:
        work.check_resumed(settings, folder)
    except TownsfolkError as error:
        folder.end(_failed(folder, "error", str(error)))
        return begin(settings.learner_folder, why, plan.key, plan.seed, dry=dry)
    return folder


def _run(night: Night, stages: Mapping[str, Stage]) -> Outcome:
    folder, show = night.folder, night.show
    try:
        for name in STAGES:
            if name == "register":
                night.watch.close()  # what is decided there is decided, however long it takes
            if folder.done(name):
                show.skipped(name)
                continue
            if name == "register" and folder.asked.dry:
                return judge.would(night)
            with show.stage(name):
                folder.finish(name, stages[name](night))
        return judge.outcome(night)
    except Ends as ends:
        return Outcome(ends.ended, ends.summary, datetime.now(UTC), stage=_stage(folder))
    except TownsfolkError as error:
        return _failed(folder, getattr(error, "reason", "error"), str(error))
    except Exception as error:
        # A night must end with a reason, and the traceback is for whoever mends it.
        show.console.print(traceback.format_exc(), markup=False)
        reason, what = _why(error)
        return _failed(folder, reason, what)


def _why(error: Exception) -> tuple[str, str]:
    if is_out_of_memory(error):
        full = out_of_memory(error, "raise learn.memory_mb, or take a machine with more memory")
        return full.reason, str(full)
    if isinstance(error, OSError):
        return "disk", _disk(error)
    return "bug", f"{error!r}; the traceback stands in the log"


def _disk(error: OSError) -> str:
    return f"{error}; make room on the disk, or mend the rights of what is named"


def _failed(folder: RunFolder, reason: str, what: str) -> Outcome:
    stage = _stage(folder)
    return Outcome("failed", f"{stage}: {what}", datetime.now(UTC), stage=stage, reason=reason)


def _stage(folder: RunFolder) -> str:
    return next((stage for stage in STAGES if not folder.done(stage)), STAGES[-1])
