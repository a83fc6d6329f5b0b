"""The journal's one writer: rows come in from the event loop, and the caller goes on when they are on disk.

One thread owns the store and commits whatever has gathered, at most once per `commit_ms`. It never
acknowledges what is not synced, and never blocks the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

import duckdb

from agent_runtime.errors import JournalError
from agent_runtime.journal.database import Database
from agent_runtime.journal.rows import Row
from agent_runtime.journal.store import Store

OPEN_WAIT_S = 5.0
"""How long to wait for another process, such as `townsfolk journal`, to let go of the file."""
MOST_AT_ONCE = 1000
"""Rows of one transaction, unless one `add` has more: a turn takes many kilobytes on its way."""
RETRY_S = 1.0
"""After a failed write, rows are refused for this long before the disk is tried again."""

# What DuckDB and the JSON encoder raise for a row they cannot take; all else is the disk's fault, or ours.
_ROW_AT_FAULT = (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError, ValueError, TypeError)


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One `add`: its rows stand or fall together."""

    rows: Sequence[Row]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Journal:
    """An open journal. `alarm` says what keeps it from writing, None when all is well; `on_alarm` is told
    when that changes, from the writer's thread."""

    def __init__(
        self, store: Store, *, commit_ms: float, max_pending: int, on_alarm: Callable[[str | None], None]
    ) -> None:
        """Use `Journal.open`."""
        self.alarm: str | None = None
        self.on_alarm = on_alarm
        self._store = store
        self._commit_s = commit_ms / 1000
        self._max_pending = max_pending
        self._queue: list[_Call] = []
        self._pending = 0
        self._closing = False
        self._retry_at = 0.0
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        commit_ms: float = 20,
        max_pending: int = 10_000,
        on_alarm: Callable[[str | None], None] = lambda alarm: None,
        wait_s: float = OPEN_WAIT_S,
    ) -> Self:
        """Open or create the journal, bring its schema up to date, put back what a crash took from it.

        `max_pending` bounds the rows that wait. `wait_s` is how long another process may hold the file.
        Raises `JournalError`.
        """
        store = Store(path, wait_s=wait_s)
        return cls(store, commit_ms=commit_ms, max_pending=max_pending, on_alarm=on_alarm)

    @property
    def database(self) -> Database:
        """For readers: take a `cursor`, and leave the connection to the writer."""
        return self._store.database

    @property
    def read_only(self) -> bool:
        """Rows are being refused because the disk does not take them."""
        return self.alarm is not None

    @property
    def recovered(self) -> int:
        """Acknowledged rows that the database had lost and that came back when it was opened."""
        return self._store.recovered

    async def add(self, *rows: Row) -> None:
        """Store these rows, all or none; returns when they are on disk.

        A row whose key is there already is left as it is. Raises `JournalError` when they could not be
        stored, or when too many wait; cancelling does not take them back.
        """
        if not rows:
            return
        loop = asyncio.get_running_loop()
        call = _Call(rows, loop, loop.create_future())
        with self._wake:
            if self._closing:
                raise JournalError(f"{self.database.path} is closed")
            if self._pending + len(rows) > self._max_pending:
                raise JournalError(
                    f"the journal is behind: {self._pending} rows wait for the disk; try again later"
                )
            self._pending += len(rows)
            self._queue.append(call)
            if len(self._queue) == 1:
                self._wake.notify()
        await call.done

    async def close(self) -> None:
        """Write what waits, checkpoint and close. Can be called again."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        next_commit = 0.0
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closing)
                # A lone row is written at once; only rows right behind a commit wait for company.
                self._wake.wait_for(lambda: self._closing, timeout=max(0.0, next_commit - time.monotonic()))
                calls = self._queue[: _portion(self._queue)]
                del self._queue[: len(calls)]
                self._pending -= sum(len(call.rows) for call in calls)
            if not calls:
                break
            next_commit = time.monotonic() + self._commit_s
            _answer(calls, self._write(calls))
            self._store.tidy()
        self._store.close()

    def _write(self, calls: list[_Call]) -> dict[_Call, JournalError]:
        """Write the calls and return those that failed."""
        if self.alarm and time.monotonic() < self._retry_at:
            return dict.fromkeys(calls, JournalError(self.alarm))
        reason = ""
        for reopen in (True,) if self.alarm else (False, True):
            try:
                if reopen:
                    self._store.database.reopen()
                failed = self._write_apart_from_bad_rows(calls)
            except Exception as error:  # a writer that dies would leave every caller waiting for ever
                reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            else:
                self._set_alarm(None)
                return failed
        self._retry_at = time.monotonic() + RETRY_S
        alarm = f"the journal cannot be written: {reason}. Free the disk, or repair it"
        self._set_alarm(alarm)
        return dict.fromkeys(calls, JournalError(alarm))

    def _write_apart_from_bad_rows(self, calls: list[_Call]) -> dict[_Call, JournalError]:
        """All at once; if that fails, without the rows that are there already; if that fails, one by one,
        so that one bad row does not take the others with it."""
        every = [row for call in calls for row in call.rows]
        for new in (True, False):
            with contextlib.suppress(*_ROW_AT_FAULT):
                self._store.commit(every, new=new)
                return {}
        failed = {}
        for call in calls:
            try:
                self._store.commit(call.rows, new=False)
            except _ROW_AT_FAULT as error:
                failed[call] = JournalError(f"the journal refused a row: {str(error).splitlines()[0]}")
        return failed

    def _set_alarm(self, alarm: str | None) -> None:
        if alarm != self.alarm:
            self.alarm = alarm
            self.on_alarm(alarm)


def _portion(calls: Sequence[_Call]) -> int:
    """How many calls are written at once: as many as have `MOST_AT_ONCE` rows, or one."""
    rows = accumulate(len(call.rows) for call in calls)
    return max(1, sum(count <= MOST_AT_ONCE for count in rows))


def _answer(calls: list[_Call], failed: dict[_Call, JournalError]) -> None:
    """Wake the callers, with one call into each event loop."""

    def settle(settled: list[_Call]) -> None:
        for call in settled:
            if call.done.done():
                continue
            error = failed.get(call)
            if error:
                call.done.set_exception(error)
            else:
                call.done.set_result(None)

    for loop in {call.loop for call in calls}:
        with contextlib.suppress(RuntimeError):  # a loop that has ended has nobody waiting
            loop.call_soon_threadsafe(settle, [call for call in calls if call.loop is loop])
