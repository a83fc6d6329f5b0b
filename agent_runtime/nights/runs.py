"""What a run of the learner leaves in HOME/learner: files come in, a typed view of a run goes out.

A run's folder is `runs/<id>/` with `run.json` (what was asked), one JSON file for each stage that is done,
and `outcome.json`, which is written last. `progress.json` tells where the run is that goes on now.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from agent_runtime.errors import NightError

STAGES = ("snapshot", "dataset", "train", "export", "evaluate", "gate", "register")
RUNS = "runs"
ASKED = "run.json"
OUTCOME = "outcome.json"
PROGRESS = "progress.json"
LOCK = "lock"
MOST_DEATHS = 3
"""What kills a run so often would kill it again."""

Ended = Literal["promoted", "canary", "kept", "refused", "too_little", "failed"]
View = TypeVar("View", bound=Struct)


class Asked(Struct, frozen=True):
    """A run as it was begun. `key` tells runs with other settings or another base apart; `deaths` are the
    stages in which it was killed and then taken up again."""

    id: str
    began: datetime
    why: str
    key: str
    seed: int
    dry: bool = False
    deaths: tuple[str, ...] = ()


class Outcome(Struct, frozen=True):
    """How a run ended, in a word and a line. `version` is the one it made, if it made one."""

    ended: Ended
    summary: str
    at: datetime
    version: int | None = None
    stage: str = ""
    reason: str = ""


class Progress(Struct, frozen=True):
    """Where a run is: `share` is of this stage, 0 to 1, and `text` says more."""

    run: str
    stage: str
    share: float
    text: str
    at: datetime


class Holder(Struct, frozen=True):
    """Who holds the lock, since when."""

    pid: int
    since: datetime


class Run(Struct, frozen=True):
    """One run. `outcome` is None while it goes on, and also when it was killed: then `alive` is False."""

    folder: Path
    asked: Asked
    done: tuple[str, ...]
    outcome: Outcome | None
    progress: Progress | None
    alive: bool

    @property
    def stage(self) -> str:
        """The stage that the run is in, or was in when it was killed."""
        return next((stage for stage in STAGES if stage not in self.done), STAGES[-1])

    @property
    def deaths(self) -> int:
        """How often it was killed, of one that neither goes on nor has an outcome."""
        return len(self.asked.deaths) + 1


def runs(learner: Path) -> list[Run]:
    """All runs below HOME/learner that can be read, oldest first."""
    found = []
    working = holder(learner) is not None
    folders = sorted((learner / RUNS).glob(f"[!.]*/{ASKED}"))
    for path in folders:
        try:
            found.append(_run(path.parent, working and path == folders[-1], learner))
        except NightError:
            continue
    return found


def latest(learner: Path) -> Run | None:
    """The newest run."""
    found = runs(learner)
    return found[-1] if found else None


def interrupted(learner: Path, within: timedelta, now: datetime) -> Run | None:
    """The newest run if it was killed, began `within` that time of now, and may go on though nobody asks for
    one: it was no dry run, and not killed `MOST_DEATHS` times."""
    last = latest(learner)
    if last is None or last.outcome or last.alive or last.asked.dry or last.deaths >= MOST_DEATHS:
        return None
    return last if abs(now - last.asked.began) <= within else None


def holder(learner: Path) -> Holder | None:
    """Who runs the learner now, over all processes; None when nobody does."""
    try:
        with (learner / LOCK).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return msgspec.json.decode(file.read() or b"{}", type=Holder)
    except (OSError, msgspec.MsgspecError):
        return None
    return None


def last_outcome(learner: Path) -> tuple[str, Outcome | None]:
    """The newest run's id, empty where there is none, and how it ended."""
    run = latest(learner)
    return (run.asked.id, run.outcome) if run else ("", None)


@contextmanager
def held_off(learner: Path) -> Iterator[bool]:
    """No run begins inside the block, which has to be short: one that wants to gives up soon. False when a
    run goes on already."""
    try:
        file = (learner / LOCK).open("rb")
    except FileNotFoundError:  # nobody ever ran
        yield True
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def read(path: Path, view: type[View]) -> View:
    """A file of a run, typed. Raises `NightError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=view)
    except (OSError, msgspec.MsgspecError) as error:
        raise NightError(f"{path} cannot be read ({error}); remove that run's folder") from error


def _run(folder: Path, alive: bool, learner: Path) -> Run:
    asked = read(folder / ASKED, Asked)
    done = tuple(stage for stage in STAGES if (folder / f"{stage}.json").exists())
    outcome = read(folder / OUTCOME, Outcome) if (folder / OUTCOME).exists() else None
    progress = None
    if alive and outcome is None:
        with suppress(NightError):  # told often and not synced: it may be gone or empty
            told = read(learner / PROGRESS, Progress)
            progress = told if told.run == asked.id else None
    return Run(folder, asked, done, outcome, progress, alive and outcome is None)
