"""What a run may take of the machine: a memory limit and a time limit come in; the process is ended, with its
reason stored, when it passes one. Its priority is the lowest there is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

LOOK_SECONDS = 0.25
STATUS = 1
"""The exit status of a process that passed a limit: that of any run that failed."""


def give_way() -> None:
    """Take processor and disk only when nobody else wants them."""
    process = psutil.Process()
    process.nice(19)
    if psutil.LINUX:
        process.ionice(psutil.IOPRIO_CLASS_IDLE)


class Watch:
    """`over` is told the reason and what to do, from a thread of its own, and then the process ends: a
    library that waits for memory or computes for hours would not hear of it otherwise."""

    def __init__(
        self,
        memory_mb: float,
        minutes: float,
        over: Callable[[str, str], None],
        *,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._memory, self._seconds = memory_mb, minutes * 60
        self._over, self._end = over, end
        self._began = time.monotonic()
        self._waited = 0.0
        self._paused: float | None = None
        self._clock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="limits", daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """From now on no limit ends the process."""
        self._closed.set()
        self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, the run does nothing: none of its minutes pass."""
        self._paused = time.monotonic()
        try:
            yield
        finally:
            with self._clock:
                self._waited += time.monotonic() - self._paused
                self._paused = None

    def _worked(self) -> float:
        """For how many seconds the run has worked."""
        with self._clock:
            until = time.monotonic() if self._paused is None else self._paused
            return until - self._began - self._waited

    def _run(self) -> None:
        process = psutil.Process()
        while not self._closed.wait(LOOK_SECONDS):
            used = process.memory_info().rss / 1e6
            self.peak_mb = max(self.peak_mb, used)
            if used > self._memory:
                what = f"{used:.0f} MB in use, and {self._memory:.0f} are allowed"
                self._stop("out_of_memory", f"{what}; raise learn.memory_mb, or lower schedule.batch_tokens")
                return
            if self._worked() > self._seconds:
                what = f"more than {self._seconds / 60:.3g} minutes"
                self._stop("time", f"{what}; raise learn.minutes, or lower schedule.epochs")
                return

    def _stop(self, reason: str, what: str) -> None:
        try:
            self._over(reason, what)
        finally:  # on a full disk, too, where the reason cannot be written
            self._end(STATUS)
