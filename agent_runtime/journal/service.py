"""The runtime has the journal's file for itself, so it answers others' questions over a UNIX socket.

One JSON line asks a named query with a filter, for an export or a snapshot, or to forget players; one line
per row answers, and a last one. Only this machine's same user can connect, and no SQL comes in.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from agent_runtime import files
from agent_runtime.errors import JournalError
from agent_runtime.journal.consent import decide
from agent_runtime.journal.export import Format, write_export
from agent_runtime.journal.queries import rows_as_json
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.sealed import Scope
from agent_runtime.journal.snapshot import write_snapshot
from agent_runtime.journal.statements import ExportName, QueryName
from agent_runtime.journal.views import Filter
from agent_runtime.journal.writer import Journal

MAX_QUESTION = 64 << 10
"""Bytes of a question's line."""
MAX_AT_ONCE = 4
"""Questions worked on at the same time; more wait."""
PATIENCE_S = 30.0
"""How long a connection may take to ask, and to read a part of its answer."""
_MAX_ADDRESS = 107


class Ask(msgspec.Struct, frozen=True, tag="ask", forbid_unknown_fields=True):
    """Rows of a query, newest first."""

    query: QueryName
    filter: Filter = Filter()


class Export(msgspec.Struct, frozen=True, tag="export", forbid_unknown_fields=True):
    """A selection as a file in the journal's export folder; the asker takes it from there."""

    name: ExportName
    format: Format
    filter: Filter = Filter()


class Copy(msgspec.Struct, frozen=True, tag="copy", forbid_unknown_fields=True):
    """A snapshot in the journal's export folder; the asker seals it."""

    scope: Scope


class Forget(msgspec.Struct, frozen=True, tag="forget", forbid_unknown_fields=True):
    """Erase these players' texts; a path for each snapshot that had to go is the answer."""

    rows: tuple[ConsentRow, ...]


Question = Ask | Export | Copy | Forget
Forgetting = Callable[..., Awaitable[list[Path]]]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an answer: a row, the path of a file or folder, or an error. The last line has `end`."""

    row: msgspec.Raw = msgspec.Raw(b"null")
    path: str = ""
    error: str = ""
    end: bool = False


_END = msgspec.json.encode(Answer(end=True)) + b"\n"


def socket_path(journal: Path) -> Path:
    """Where the runtime that has this journal open listens."""
    return journal.with_suffix(".sock")


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """What to bind to or connect to for a socket at this path, inside the block only: the system takes no
    more than 107 bytes, so a folder with a longer name goes by its descriptor. Raises `OSError`."""
    if len(os.fsencode(path)) <= _MAX_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


@asynccontextmanager
async def serve_queries(
    journal: Journal, path: Path | None = None, forget: Forgetting | None = None
) -> AsyncIterator[None]:
    """Answer questions on this socket (default: beside the journal) while the block runs.

    `forget` erases players and returns the snapshots that went with them; without it, only the journal
    forgets them. Raises `JournalError` when the socket cannot be made.
    """
    forget = forget or partial(decide, journal)
    path = path or socket_path(journal.database.path)
    turnstile = asyncio.Semaphore(MAX_AT_ONCE)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readline()
            async with turnstile:
                lines = await _answer(journal, line, forget)
                if reader.at_eof():
                    await asyncio.to_thread(_untaken, journal.database.exports, lines)
                for start in range(0, len(lines), 100):
                    writer.write(b"".join(lines[start : start + 100]))
                    async with asyncio.timeout(PATIENCE_S):
                        await writer.drain()
        writer.close()

    with ExitStack() as stack:
        listener = socket.socket(socket.AF_UNIX)
        try:
            # Whoever had the socket before us is gone: we hold the journal's lock.
            path.unlink(missing_ok=True)
            listener.bind(stack.enter_context(address_of(path)))
            os.chmod(path, 0o600)  # before it listens, so that nobody gets in earlier
        except OSError as error:
            listener.close()
            raise JournalError(f"{path}: {error.strerror or error}; choose another --home") from error
        server = await asyncio.start_unix_server(talk, sock=listener, limit=MAX_QUESTION)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)


async def _answer(journal: Journal, line: bytes, forget: Forgetting) -> list[bytes]:
    try:
        question = msgspec.json.decode(line, type=Question)
        if isinstance(question, Forget):
            return [*map(_path_line, await forget(*question.rows)), _END]
        return [*await asyncio.to_thread(_read, journal, question), _END]
    except (JournalError, msgspec.MsgspecError, OSError) as error:
        return [msgspec.json.encode(Answer(error=str(error))) + b"\n", _END]


def _read(journal: Journal, question: Ask | Export | Copy) -> list[bytes]:
    match question:
        case Export():
            written = write_export(journal.database, question.name, question.filter, question.format)
            return [_path_line(written)]
        case Copy():
            return [_path_line(write_snapshot(journal.database, question.scope))]
        case Ask():
            with journal.database.cursor() as cursor:
                rows = rows_as_json(cursor, question.query, question.filter)
            return [b'{"row":%s}\n' % row.encode() for row in rows]


def _untaken(exports: Path, lines: list[bytes]) -> None:
    """Delete what was written for somebody who is gone."""
    for line in lines:
        path = Path(msgspec.json.decode(line, type=Answer).path)
        if path.parent == exports:
            with suppress(OSError):
                files.remove_folder(path) if path.is_dir() else path.unlink()


def _path_line(path: Path) -> bytes:
    return msgspec.json.encode(Answer(path=str(path))) + b"\n"
