"""Runs and settings come in; lines for a terminal go out: what goes on, what happened, what comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent_runtime.config import Settings
from agent_runtime.errors import JournalError
from agent_runtime.journal.source import ask, open_source
from agent_runtime.journal.views import RatingView
from agent_runtime.nights.child import how_to_install, missing
from agent_runtime.nights.pause import paused
from agent_runtime.nights.raters import raters, since_last_run
from agent_runtime.nights.runs import STAGES, Run
from agent_runtime.nights.schedule import trigger_of
from agent_runtime.registry.status import StatusFiles

ENDED = {
    "promoted": "promoted: it answers all players",
    "canary": "on trial: it answers some players, whose ratings decide",
    "kept": "the champion was kept",
    "refused": "refused",
    "too_little": "nothing changed: too little to learn from",
    "failed": "failed: nothing changed",
}


def run_lines(run: Run) -> Iterator[str]:
    """One run, as far as it came."""
    asked = run.asked
    dry = ", dry" if asked.dry else ""
    yield f"run {asked.id}, {asked.why}{dry}, began {_local(asked.began)}"
    for stage in asked.deaths:
        yield f"    killed during {stage}, and taken up again"
    if run.outcome:
        version = "" if run.outcome.version is None else f" (version {run.outcome.version})"
        yield f"    {ENDED[run.outcome.ended]}{version}"
        yield f"    {run.outcome.summary}"
    elif run.alive:
        progress = run.progress
        share = f", {progress.share:.0%}" if progress and progress.stage == run.stage else ""
        text = f": {progress.text}" if progress and progress.text else ""
        yield f"    {run.stage} ({STAGES.index(run.stage) + 1} of {len(STAGES)}){share}{text}"
    else:
        yield f"    killed during {run.stage}; the next run takes it up, and nothing changed meanwhile"
    yield f"    files: {run.folder}"


def schedule_lines(settings: Settings, now: datetime) -> Iterator[str]:
    """When the next run is, and what stands in its way."""
    learn = settings.learn
    trigger = trigger_of(settings)
    off = paused(settings.learner_folder)
    if trigger:
        moment = trigger.get_next_fire_time(None, now)
        yield f"every night at {learn.at} ({trigger.timezone}); the next one: {_local(moment)}"
    else:
        yield "no time of day is set (learn.at)"
    if learn.after_raters:
        try:
            with open_source(settings.journal_path) as source:
                found = ask(source, "ratings", since_last_run(settings.learner_folder), RatingView)
            count = f"now {raters(found, settings.privacy.consent)}"
        except JournalError as error:
            count = f"unknown now: {error}"
        enough = f"{learn.after_raters} players rated since the last run whose talk may be trained on"
        yield f"also when {enough} ({count})"
    if off:
        yield f"turned off by {off.who}, {_local(off.since)}: `townsfolk learn schedule --on`"
    status = StatusFiles(settings.registry_path).status()
    if status is None or not status.alive:
        yield "no server runs here: nights are begun by `townsfolk serve`"
    if missing():
        yield how_to_install()


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
