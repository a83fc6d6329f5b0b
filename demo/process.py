"""A child process whose output goes to a log file: started, waited for, and ended for certain."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from demo.errors import ServerFailed

T = TypeVar("T")
STOP_WITHIN = 15.0


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Our own, without the settings of a Townsfolk that somebody runs here (its journal and its versions are
    not the demo's), and what is `added`."""
    settings = [name for name in os.environ if name.upper().startswith("TOWNSFOLK_") and "__" in name]
    return {**{name: value for name, value in os.environ.items() if name not in settings}, **added}


class Process:
    """One program; `start` may be called again after it has ended. The log is appended to.

    It runs in a process group of its own, so that Ctrl-C reaches only us and we end it in good order, and
    it is told to end when we die without having done so."""

    def __init__(self, what: str, log: Path) -> None:
        self.what = what
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process id; raises ServerFailed when it does not run."""
        if self._process is None or not self.running:
            raise ServerFailed(f"{self.what} does not run")
        return self._process.pid

    async def start(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Starts the program with `env` added to our own `environment`."""
        keeper = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *keeper,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(env),
            )

    async def ready(self, test: Callable[[str], T | None], *, within: float) -> T:
        """Waits until `test`, given the log since the start, returns something true, and returns it.

        Ends the program and raises ServerFailed when that takes too long, or when the program ends."""
        deadline = time.monotonic() + within
        while not (result := test(self.text())):
            if not self.running:
                raise ServerFailed(
                    f"{self.what} ended while starting{self.how()}; its log ({self.log}) ends:\n{self.tail()}"
                )
            if time.monotonic() > deadline:
                await self.stop()
                raise ServerFailed(
                    f"{self.what} was not ready in {within:.0f} s; its log ends:\n{self.tail()}"
                )
            await asyncio.sleep(0.05)
        return result

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Asks the program to end, ends it when it does not, and returns its exit status."""
        if self._process is None:
            return None
        if self.running:
            self._process.send_signal(number)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
        return await self._process.wait()

    async def ended(self) -> None:
        """Returns when the program has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    def how(self) -> str:
        """How it ended, as words to put behind "ended"; "" while it runs or after a good end."""
        status = self._process.returncode if self._process else None
        if not status:
            return ""
        return f" with status {status}" if status > 0 else f" by signal {signal.Signals(-status).name}"

    def kill(self) -> None:
        """Ends the program at once, as a crash would."""
        os.killpg(self.pid, signal.SIGKILL)

    def text(self) -> str:
        """What the program has written since it was started last."""
        return self.log.read_bytes()[self._log_start :].decode("utf-8", "replace")

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        return "\n".join(self.text().splitlines()[-lines:])
