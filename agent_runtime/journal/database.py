"""Opening the DuckDB file and sharing it between one writer and many readers, with no way out of it.

SQL can reach no other file than this one and those below `exports`; the settings are locked. A file that is
open elsewhere raises `JournalLocked`, any other trouble `JournalError`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from agent_runtime.errors import JournalError, JournalLocked

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # the engine needs the cores more
    "async_threads": 1,
    "memory_limit": "128MB",  # keeps the whole runtime small; bigger sorts go to disk
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
LOCK_POLL_S = 0.05


def exports_of(journal: Path) -> Path:
    """The folder of a journal's snapshots, the only one that its SQL can write to."""
    return journal.parent / "snapshots"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn DuckDB's and the system's errors into ours."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}; check the folder, its rights and its disk") from error
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if "Could not set lock on file" in reason:
            raise JournalLocked(f"{path} is in use by another process; stop that one first") from error
        if "replaying WAL" in reason or "Corrupt WAL" in reason:
            raise JournalError(
                f"{path}.wal is damaged ({reason}). Move it away and start again: what was acknowledged "
                f"since the last checkpoint is also in {path.with_suffix('.acks')}, and comes back"
            ) from error
        raise JournalError(f"{path}: {reason}") from error


class Database:
    """One open journal file. `connection` is the writer's alone; readers take a `cursor`."""

    def __init__(self, path: Path, *, read_only: bool = False, wait_s: float = 0.0) -> None:
        """Open, or create, the file; wait up to `wait_s` while another process has it."""
        self.path = path
        self.exports = exports_of(path)
        self._read_only = read_only
        self._readers = 0
        self._changed = threading.Condition()
        self._connection: duckdb.DuckDBPyConnection | None = None
        deadline = time.monotonic() + wait_s
        while self._connection is None:
            try:
                self._connection = self._connect()
            except JournalLocked:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(LOCK_POLL_S)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The writer's connection. Raises `JournalError` when the journal is closed."""
        if self._connection is None:
            raise JournalError(f"{self.path} is closed")
        return self._connection

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A reader's own connection to the same file; sees what was committed when its query began."""
        with self._changed:
            cursor = self.connection.cursor()
            self._readers += 1
        try:
            with explained(self.path):
                yield cursor
        finally:
            cursor.close()
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    def reopen(self) -> None:
        """Close the file and open it anew: nothing else ends DuckDB's fatal errors, or empties its memory of
        index blocks."""
        self.close()
        self._connection = self._connect()

    def close(self) -> None:
        """Close the file once the readers are done. DuckDB checkpoints when it can."""
        with self._changed:
            connection, self._connection = self._connection, None
            self._changed.wait_for(lambda: self._readers == 0)
        if connection is not None:
            connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._read_only and not self.path.exists():
            raise JournalError(
                f"there is no journal at {self.path}; start `townsfolk serve` first, or give its --home"
            )
        with explained(self.path):
            connection = duckdb.connect(str(self.path), read_only=self._read_only, config=CONFIG)
            connection.execute("set global timezone = 'UTC'")
            connection.execute("set allowed_directories = [$folder]", {"folder": f"{self.exports}/"})
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        if not self._read_only:
            os.chmod(self.path, 0o600)
        return connection
