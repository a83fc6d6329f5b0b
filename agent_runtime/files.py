"""Files that are wholly there or not at all, also after a crash: sync, hash, copy, replace, remove, lock.

Raises `OSError` as the system does; callers say what it means.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BLOCK = 1 << 20
LOCK_POLL_S = 0.01
READ_ONLY = 0o444
GONE = ".gone-"
"""So begins the name of a folder that is being deleted."""


@contextmanager
def private() -> Iterator[None]:
    """What this process makes inside is for its user alone, whoever makes it: the libraries' files, too."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the contents behind them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet, durably but for its name."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, data: bytes, *, mode: int = 0o600, begun_in: Path | None = None) -> None:
    """Put new contents in the place of a file: a reader sees the old ones or the new ones, whole. A process
    that is killed leaves an unfinished file in the folder `begun_in`, which is on the same disk; by default
    it is the file's own."""
    temporary = (begun_in or path.parent) / f".{path.name}.{os.getpid()}.{threading.get_ident()}"
    temporary.unlink(missing_ok=True)
    try:
        write_new(temporary, data, mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def set_aside(folder: Path) -> bool:
    """Take a folder away under its name, for `remove_gone`; returns whether it was there."""
    try:
        os.rename(folder, folder.with_name(f"{GONE}{secrets.token_hex(8)}"))
    except FileNotFoundError:
        return False
    return True


def remove_gone(parent: Path) -> None:
    """Delete what was set aside in this folder, also by a process that was killed before it could."""
    for left in parent.glob(f"{GONE}*"):
        shutil.rmtree(left, onerror=_unless_missing)


def remove_folder(folder: Path) -> None:
    """Delete a folder, if it is there. A crash leaves no half of it under its name."""
    if set_aside(folder):
        remove_gone(folder.parent)
        sync_folder(folder.parent)


def copy(source: Path, target: Path) -> tuple[str, int]:
    """Copy one regular file, durably but for its name, into one that is read-only. A symbolic link raises
    `OSError`. Returns the sha256 in hex and the bytes of what was written."""
    hashed = hashlib.sha256()
    size = 0
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, READ_ONLY)
        try:
            while block := os.read(reading, BLOCK):
                hashed.update(block)
                size += len(block)
                rest = memoryview(block)
                while rest:
                    rest = rest[os.write(writing, rest) :]
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    return hashed.hexdigest(), size


def digest(path: Path) -> str:
    """The sha256 in hex of a regular file; a symbolic link raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock that every process honours which asks for it; it ends with the process that has it.
    Raises `TimeoutError` when others hold it all that time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"{path} is held by another process") from None
                time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _unless_missing(function: object, path: str, failure: tuple[Any, BaseException, Any]) -> None:
    """Two may delete the same folder."""
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]
