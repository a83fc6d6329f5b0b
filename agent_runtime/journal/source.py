"""Using a journal from another process: its file when nobody has it open, else the runtime's socket. Nothing
is changed but by `forget`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from agent_runtime import files
from agent_runtime.errors import JournalError, JournalLocked
from agent_runtime.journal import schema
from agent_runtime.journal.consent import decide
from agent_runtime.journal.database import Database
from agent_runtime.journal.export import Format, write_export
from agent_runtime.journal.queries import decoded, rows_as_json
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.sealed import Scope, read_manifest
from agent_runtime.journal.service import Answer, Ask, Copy, Export, Forget, Question, address_of, socket_path
from agent_runtime.journal.snapshot import check_nobody_erased, seal, write_snapshot
from agent_runtime.journal.statements import ExportName, QueryName
from agent_runtime.journal.store import Store
from agent_runtime.journal.views import MAX_PLAYERS, MAX_ROWS, ConsentView, Erasure, Filter
from agent_runtime.journal.writer import Journal

TIMEOUT_S = 60.0
View = TypeVar("View")


class Source(Protocol):
    """Where a journal's rows come from. All methods raise `JournalError`."""

    def rows(self, query: QueryName, chosen: Filter) -> list[bytes]:
        """The rows as JSON objects, newest first."""

    def export(self, name: ExportName, chosen: Filter, format: Format) -> Path:
        """A selection as a file, the caller's to `export.publish` or delete."""

    def snapshot(self, scope: Scope) -> Path:
        """What may be trained on as a folder, for `take_snapshot`."""


class _File:
    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, query: QueryName, chosen: Filter) -> list[bytes]:
        with self._database.cursor() as cursor:
            return [row.encode() for row in rows_as_json(cursor, query, chosen)]

    def export(self, name: ExportName, chosen: Filter, format: Format) -> Path:
        return write_export(self._database, name, chosen, format)

    def snapshot(self, scope: Scope) -> Path:
        return write_snapshot(self._database, scope)


class _Socket:
    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, query: QueryName, chosen: Filter) -> list[bytes]:
        return [bytes(answer.row) for answer in self._ask(Ask(query, chosen))]

    def export(self, name: ExportName, chosen: Filter, format: Format) -> Path:
        (answer,) = self._ask(Export(name, format, chosen), within=None)
        return Path(answer.path)

    def snapshot(self, scope: Scope) -> Path:
        (answer,) = self._ask(Copy(scope), within=None)
        return Path(answer.path)

    def forget(self, rows: Sequence[ConsentRow]) -> list[Path]:
        return [Path(answer.path) for answer in self._ask(Forget(tuple(rows)), within=None)]

    def _ask(self, question: Question, within: float | None = TIMEOUT_S) -> Iterator[Answer]:
        """`within` seconds each part of the answer must come; None for what takes as long as it takes."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT_S)
                with address_of(self._path) as address:
                    connection.connect(address)
                connection.sendall(msgspec.json.encode(question) + b"\n")
                connection.settimeout(within)
                with connection.makefile("rb") as lines:
                    for line in lines:
                        answer = msgspec.json.decode(line, type=Answer)
                        if answer.error:
                            raise JournalError(answer.error)
                        if answer.end:
                            return
                        yield answer
        except (OSError, msgspec.MsgspecError) as error:
            raise JournalError(
                f"{self._path}: the runtime does not answer ({error}); is it stuck?"
            ) from error
        raise JournalError(f"{self._path}: the runtime broke off its answer; ask again")


@contextmanager
def open_source(journal: Path) -> Iterator[Source]:
    """The journal at this path, read-only. Raises `JournalError` when there is none that we can read."""
    with ExitStack() as stack:
        try:
            database = Database(journal, read_only=True)
        except JournalLocked:
            if not socket_path(journal).exists():
                raise
            yield _Socket(socket_path(journal))
            return
        stack.callback(database.close)
        with database.cursor() as cursor:
            if schema.pending(cursor):
                raise JournalError(
                    f"{journal} is of an older Townsfolk: start `townsfolk serve` once to upgrade it"
                )
        yield _File(database)


def forget(journal: Path, rows: Sequence[ConsentRow]) -> list[Path]:
    """Erase these players from the journal at this path and from the snapshots beside it; returns the
    snapshots that are gone. Raises `JournalError`."""
    if not journal.exists():
        raise JournalError(
            f"there is no journal at {journal}; start `townsfolk serve` first, or give its --home"
        )
    try:
        opened = Journal.open(journal, wait_s=0)
    except JournalLocked:
        if not socket_path(journal).exists():
            raise
        return _Socket(socket_path(journal)).forget(rows)

    async def write() -> list[Path]:
        try:
            return await decide(opened, *rows)
        finally:
            await opened.close()

    removed = asyncio.run(write())
    with suppress(JournalLocked):  # opening compacts; a runtime that started meanwhile has done it
        Store(journal, wait_s=0).close()
    return removed


def take_snapshot(source: Source, scope: Scope, target: Path | None = None) -> Path:
    """Seal what may be trained on in the new folder `target` (default: below the journal's own, under its own
    name); returns it. Raises `JournalError`, also when a player of it was erased meanwhile."""
    sealed = seal(source.snapshot(scope), target)
    try:
        # What went elsewhere is out of the reach of an erasure that came before it was there.
        check_nobody_erased(read_manifest(sealed), erasures(source))
    except JournalError:
        with suppress(OSError):
            files.remove_folder(sealed)
        raise
    return sealed


def erasures(source: Source) -> dict[str, Erasure]:
    """The last erasure of every player who was ever erased, by pseudonym. Raises `JournalError`."""
    found = ask(source, "erasures", Filter(limit=MAX_ROWS), Erasure)
    if len(found) == MAX_ROWS:
        raise JournalError(f"more than {MAX_ROWS} players were erased: nobody can tell any more who they are")
    return {row.player: row for row in found}


def withdrawn(source: Source, players: Iterable[str]) -> set[str]:
    """Who of these players (pseudonyms) said last that their talk may not be trained on. Raises
    `JournalError`."""
    asked = sorted(players)
    found = set()
    for start in range(0, len(asked), MAX_PLAYERS):
        some = tuple(asked[start : start + MAX_PLAYERS])
        rows = ask(source, "consents", Filter(players=some, limit=MAX_PLAYERS), ConsentView)
        found |= {row.player for row in rows if row.choice != "allow"}
    return found


def ask(source: Source, query: QueryName, chosen: Filter, view: type[View]) -> list[View]:
    """A query's rows, typed."""
    return decoded(source.rows(query, chosen), view)
