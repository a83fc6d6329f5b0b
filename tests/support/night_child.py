"""A night in a process of its own, killed in a stage of it.

Processes are forked from one that has imported everything, and has done nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Literal

from msgspec import Struct
from rich.console import Console

from agent_runtime import config
from learner.job.run import run
from learner.job.work import Night
from tests.support.nights import stages

When = Literal["before", "after"]
PATIENCE = 100.0
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.support.night_child"])


def killed(home: Path, stage: str, when: When = "before") -> None:
    """Run a night until this stage: it dies before the stage's work, or after it, with its result not on
    disk yet."""
    process = _forks.Process(target=_run, args=(home, stage, when))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == -signal.SIGKILL


def _run(home: Path, stage: str, when: When) -> None:
    work = dict(stages())
    whole = work[stage]

    def dies(night: Night) -> Struct:
        if when == "after":
            whole(night)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    work[stage] = dies
    run(config.load(home), "in a test", console=Console(quiet=True), stages=work)
