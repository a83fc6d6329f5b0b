"""Rows go into the database and the ack log, synchronously: when `commit` returns they are on disk twice.

Opening brings the schema up to date and puts back what a crash took. Raises DuckDB's own errors and
`OSError` where the writer must tell a bad row from a bad disk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb
import msgspec
import structlog

from agent_runtime.errors import JournalError
from agent_runtime.journal import compaction, leftovers, schema
from agent_runtime.journal.acks import AckLog
from agent_runtime.journal.database import Database, explained
from agent_runtime.journal.erasure import erase_texts
from agent_runtime.journal.rows import ROWS, ConsentRow, Row

log = structlog.get_logger(__name__)

CHECKPOINT_BYTES = 8 << 20
"""The ack log's size at which the journal is checkpointed and the log emptied."""


class Store:
    """The journal's files, open for writing. `recovered` counts the acknowledged rows that the database had
    lost and that were put back when it was opened."""

    def __init__(self, path: Path, *, wait_s: float) -> None:
        """Open or create; wait up to `wait_s` for another process to let go. Raises `JournalError`."""
        self.recovered = 0
        self._checkpoint_at = CHECKPOINT_BYTES
        self._unlogged: tuple[Row, ...] = ()
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.database = Database(path, wait_s=wait_s)
            try:
                if schema.migrate(self.database.connection):
                    self.database.connection.execute("checkpoint")
                self._inserts = {row: _insert_statement(self.database.connection, row) for row in ROWS}
                self._acks = AckLog(path.with_suffix(".acks"))
                self._recover()
                self._compact()
                with suppress(OSError, JournalError):  # what cannot be done now is done at the next start
                    leftovers.sweep(self.database.exports)
            except BaseException:
                self.database.close()
                raise

    def commit(self, rows: Sequence[Row], *, new: bool) -> None:
        """One transaction, and then the ack log.

        A row whose key is there already is left as it is. `new` says that none is expected to be: looking
        first costs more than being told now and then, by a `duckdb.ConstraintException`.
        """
        if self._unlogged:
            # They are in the database but not in the ack log, and may come again, those without a key, too.
            stored = {id(row) for row in self._unlogged}
            self.checkpoint()
            rows = [row for row in rows if id(row) not in stored]
        connection = self.database.connection
        chosen = rows if new else list(self._absent(rows))
        batches = [(kind, batch, msgspec.json.encode(batch)) for kind, batch in _by_kind(chosen)]
        connection.execute("begin")
        try:
            for kind, batch, encoded in batches:
                self._insert(kind, batch, encoded)
        except (duckdb.Error, OSError):
            connection.execute("rollback")
            raise
        connection.execute("commit")
        keyed = [(kind.table, encoded) for kind, _, encoded in batches if kind.key]
        if keyed:
            self._unlogged = tuple(rows)
            self._acks.append(keyed)
            self._unlogged = ()

    def tidy(self) -> None:
        """Checkpoint when the ack log has grown to its limit."""
        if self._acks.size >= self._checkpoint_at:
            # Should it fail, nothing is lost, both logs have it all: try again when they have grown more.
            self._checkpoint_at = self._acks.size + CHECKPOINT_BYTES
            with suppress(duckdb.Error, OSError, JournalError):
                self.checkpoint()

    def checkpoint(self) -> None:
        """Move everything into the main file and empty the ack log."""
        self.database.connection.execute("checkpoint")
        self._acks.clear()
        self._checkpoint_at = CHECKPOINT_BYTES
        self._unlogged = ()

    def close(self) -> None:
        """Checkpoint if that is possible, and close the files once the readers are done."""
        with suppress(duckdb.Error, OSError, JournalError):
            self.checkpoint()
        self.database.close()
        self._acks.close()

    def _insert(self, kind: type[Row], batch: Sequence[Row], encoded: bytes) -> None:
        """Put rows into their table; a decision to erase takes effect with its row."""
        self.database.connection.execute(self._inserts[kind], [encoded.decode()])
        for row in batch:
            if isinstance(row, ConsentRow) and row.choice == "erase":
                compaction.mark(self.database.path)
                erase_texts(self.database.connection, row.player)
                self._checkpoint_at = 0  # the logs hold the texts, too: empty them at the next `tidy`

    def _compact(self) -> None:
        """Get rid of erased texts in the file itself. What cannot be done now is done at the next start."""
        if compaction.is_marked(self.database.path):
            self.checkpoint()
            self.database.close()
            try:
                compaction.compact(self.database.path)
            except (duckdb.Error, OSError) as error:
                log.warning("erased_texts_still_in_the_file", why=str(error), again="at the next start")
            self.database.reopen()

    def _absent(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows without those whose key is in the journal, or earlier among them."""
        for kind, batch in _by_kind(rows):
            if kind.key is None:
                yield from batch
                continue
            first = {getattr(row, kind.key): row for row in reversed(batch)}
            found = self.database.connection.execute(
                f"select {kind.key} from {kind.table} where {kind.key} in (select unnest(?::varchar[]))",
                [list(first)],
            ).fetchall()
            for (key,) in found:
                del first[key]
            yield from (row for row in batch if first.get(getattr(row, kind.key)) is row)

    def _recover(self) -> None:
        connection = self.database.connection
        connection.execute("begin")
        for rows in list(self._acks.read()):
            absent = list(self._absent(rows))
            for kind, batch in _by_kind(absent):
                self._insert(kind, batch, msgspec.json.encode(batch))
            self.recovered += len(absent)
        connection.execute("commit")
        if self._acks.size:
            self.checkpoint()


def _by_kind(rows: Sequence[Row]) -> Iterator[tuple[type[Row], list[Row]]]:
    kinds: dict[type[Row], list[Row]] = defaultdict(list)
    for row in rows:
        kinds[type(row)].append(row)
    return ((kind, kinds[kind]) for kind in ROWS if kind in kinds)


def _insert_statement(connection: duckdb.DuckDBPyConnection, kind: type[Row]) -> str:
    """One parameter, a JSON array of rows: ten times faster than a parameter per value."""
    types = dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns() where table_name = ?", [kind.table]
        ).fetchall()
    )
    shape = msgspec.json.encode([{field: types[field] for field in kind.__struct_fields__}]).decode()
    return (
        f"insert into {kind.table} by name "
        f"select row.* from (select unnest(from_json_strict(?, '{shape}')) as row)"
    )
