"""The folder of one run: results of stages come in and are on disk, whole, before the next stage begins.

Which run goes on and which begins anew is decided here; nothing is trained or judged.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from agent_runtime import files
from agent_runtime.nights import runs
from agent_runtime.nights.runs import ASKED, MOST_DEATHS, OUTCOME, RUNS, Asked, Outcome, Run, read

Result = TypeVar("Result", bound=Struct)

TAKEN_UP_FOR = timedelta(hours=36)
"""A run that began longer ago begins anew: there is newer talk to learn from. The next night, a day later and
minutes more or less, is well within it."""


class RunFolder:
    """One run's folder. Every write is synced."""

    def __init__(self, path: Path, asked: Asked) -> None:
        self.path = path
        self.asked = asked

    def done(self, stage: str) -> bool:
        """Whether this stage has left its result."""
        return (self.path / f"{stage}.json").exists()

    def result(self, stage: str, view: type[Result]) -> Result:
        """What a stage left. Raises `NightError`."""
        return read(self.path / f"{stage}.json", view)

    def finish(self, stage: str, result: Struct) -> None:
        """The stage is done: never to be done again in this run."""
        _write(self.path / f"{stage}.json", result)

    def end(self, outcome: Outcome) -> None:
        """The run is over."""
        _write(self.path / OUTCOME, outcome)

    def fresh(self, name: str) -> Path:
        """A folder for a stage's files, empty: what a killed stage left in it is gone."""
        shutil.rmtree(self.path / name, ignore_errors=True)
        (self.path / name).mkdir(parents=True)
        return self.path / name


def begin(
    learner: Path, why: str, key: str, seed: int, *, dry: bool, now: datetime | None = None
) -> RunFolder:
    """Take up the run that was killed last, or begin a new one. The caller holds the lock."""
    now = now or datetime.now(UTC)
    last = runs.latest(learner)
    if last and last.outcome is None:
        problem = _cannot_go_on(last, key, dry, now)
        if not problem:
            asked = msgspec.structs.replace(last.asked, deaths=(*last.asked.deaths, last.stage))
            _write(last.folder / ASKED, asked)
            return RunFolder(last.folder, asked)
        summary = f"killed during {last.stage}, and not taken up again: {problem}"
        given_up = RunFolder(last.folder, last.asked)
        given_up.end(Outcome("failed", summary, now, stage=last.stage, reason="killed"))
    # Counted, so that runs are in order whatever the clock says.
    number = 1 + max((_number(each.asked.id) for each in runs.runs(learner)), default=0)
    id = f"{number:05}-{now:%Y%m%dT%H%M%SZ}"
    path = learner / RUNS / id
    shutil.rmtree(path, ignore_errors=True)  # one that was killed before it could say what it is
    path.mkdir(parents=True)
    asked = Asked(id=id, began=now, why=why, key=key, seed=seed, dry=dry)
    _write(path / ASKED, asked)
    return RunFolder(path, asked)


def _cannot_go_on(last: Run, key: str, dry: bool, now: datetime) -> str:
    if last.deaths >= MOST_DEATHS:
        return f"it was killed {last.deaths} times"
    if last.asked.key != key or last.asked.dry != dry:
        return "settings or the base changed"
    if abs(now - last.asked.began) > TAKEN_UP_FOR:
        return "it began too long ago"
    return ""


def _number(id: str) -> int:
    number = id.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _write(path: Path, content: Struct) -> None:
    files.replace(path, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
