"""One run of the learner as a process of its own: its arguments come in, how it ended goes out.

What it writes goes to HOME/logs/learner.log, of which two are kept. It ends when whoever started it closes
it, and takes up its work when it is started again.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

from agent_runtime.errors import NightError

ENDS_WITHIN_S = 3.0
NEEDED = ("torch", "transformers", "peft")
LOG_BYTES = 1_000_000
"""A log of more becomes the older one when the next run begins: hundreds of nights."""
BUSY = 3
"""The exit status of a run that did not begin, because another one goes on."""


def missing() -> list[str]:
    """The libraries of the learner that are not installed here."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def how_to_install() -> str:
    """What to do about `missing`."""
    return (
        f"the learner needs {', '.join(missing())}, which are not installed: `make install-learn` in a "
        "checkout, or `pip install 'townsfolk[learn]'`"
    )


def command(home: Path, *arguments: str) -> list[str]:
    """The learner's own program with these arguments."""
    return [sys.executable, "-m", "learner", "--home", str(home), *arguments]


class Program(Protocol):
    """Makes the command line of a program from a home and its arguments."""

    def __call__(self, home: Path, *arguments: str) -> list[str]: ...


class Child:
    """At most one run at a time. Safe from any thread."""

    def __init__(self, home: Path, program: Program = command) -> None:
        self._home = home
        self._program = program
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def log(self) -> Path:
        return self._home / "logs" / "learner.log"

    def run(self, why: str) -> int | None:
        """Start a run and wait for its end: its exit status, or None when one goes on already or this is
        closed. Raises `NightError` when it cannot be started."""
        with self._lock:
            if self._closed or (self._process is not None and self._process.poll() is None):
                return None
            try:
                self.log.parent.mkdir(parents=True, exist_ok=True)
                if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                    self.log.replace(self.log.with_suffix(".log.1"))
                with self.log.open("ab") as log:
                    self._process = process = subprocess.Popen(
                        self._program(self._home, "run", "--why", why),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        # Ctrl-C at the server's terminal is the server's: it ends this one in good order.
                        start_new_session=True,
                        env={**os.environ, "PYTHONUNBUFFERED": "1"},
                    )
            except OSError as error:
                raise NightError(
                    f"the learner cannot be started: {error}; try `townsfolk learn run` by hand"
                ) from error
        return process.wait()

    def close(self) -> None:
        """End a run that goes on, and start none anymore."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
