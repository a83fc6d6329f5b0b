"""A second, independent record of what was acknowledged since the last checkpoint.

DuckDB drops a torn end of its write-ahead log without a word. So every keyed row is also appended here, and
synced, before its caller is told that it is safe; at the next start what DuckDB lost is put back from here.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias

import msgspec

from agent_runtime import files
from agent_runtime.errors import JournalError
from agent_runtime.journal.rows import ROWS, Row

_DECODERS: dict[str, msgspec.json.Decoder[list[Row]]] = {
    row.table: msgspec.json.Decoder(GenericAlias(list, (row,))) for row in ROWS
}
_CHECKSUM = 8


class _Entry(msgspec.Struct, frozen=True):
    table: str
    rows: msgspec.Raw


class AckLog:
    """One file: a line per table and commit, each with its checksum. `size` is in bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            files.sync_folder(path.parent)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}; check the folder and its rights") from error

    def read(self) -> Iterator[list[Row]]:
        """What was acknowledged, in order; a last line that was never finished was not, and is cut off.

        Raises `JournalError` when a line before the last is damaged.
        """
        with self.path.open("rb") as file:
            lines = file.read().splitlines(keepends=True)
        self.size = 0
        for number, line in enumerate(lines, 1):
            body = line[_CHECKSUM + 1 : -1]
            if not line.endswith(b"\n") or line[:_CHECKSUM] != _checksum(body):
                if number == len(lines):
                    break
                raise JournalError(
                    f"{self.path}: line {number} is damaged, so rows that were acknowledged may be lost. "
                    "Restore the file, or move it away to go on with what the journal itself holds"
                )
            entry = msgspec.json.decode(body, type=_Entry)
            yield _DECODERS[entry.table].decode(entry.rows)
            self.size += len(line)
        os.ftruncate(self._file, self.size)

    def append(self, tables: list[tuple[str, bytes]]) -> None:
        """Write and sync each table's rows (a JSON array). Raises `OSError`, and then nothing was added."""
        lines = []
        for table, rows in tables:
            body = b'{"table":"%s","rows":%s}' % (table.encode(), rows)
            lines.append(b"%s %s\n" % (_checksum(body), body))
        rest = memoryview(b"".join(lines))
        added = len(rest)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += added

    def clear(self) -> None:
        """Forget everything: the database itself has it, checkpointed. Raises `OSError`."""
        os.ftruncate(self._file, 0)
        os.fsync(self._file)
        self.size = 0

    def close(self) -> None:
        os.close(self._file)


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
