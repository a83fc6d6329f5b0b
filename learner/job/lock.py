"""One run at a time over all processes of a home: HOME/learner comes in, the lock is held inside a block.

It ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agent_runtime.errors import NightBusy, NightError
from agent_runtime.nights.runs import LOCK, Holder

PATIENCE_S = 0.5


@contextmanager
def held(learner: Path) -> Iterator[None]:
    """Hold the lock, or raise `NightBusy` with who has it since when."""
    try:
        learner.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(learner / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NightError(f"{learner / LOCK}: {error.strerror}; check the folder and its rights") from error
    try:
        if not _taken(descriptor):
            raise _busy(os.read(descriptor, 1000))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, msgspec.json.encode(Holder(os.getpid(), datetime.now(UTC))))
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Whoever only looks who holds it has it for a moment, too."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _busy(told: bytes) -> NightBusy:
    try:
        holder = msgspec.json.decode(told, type=Holder)
    except msgspec.MsgspecError:
        return NightBusy("another run has just begun; `townsfolk learn status` shows it")
    since = f"{holder.since.astimezone():%Y-%m-%d %H:%M:%S}"
    return NightBusy(
        f"process {holder.pid} learns since {since}, and one run goes on at a time; `townsfolk learn status` "
        "shows how far it is"
    )
