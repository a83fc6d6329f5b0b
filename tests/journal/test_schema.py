"""The journal's schema: every row type fits it, upgrades happen once, and a newer journal is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal import schema
from agent_runtime.journal.rows import ROWS, Row


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def add_mood(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("alter table turns add column mood varchar")


def fail_halfway(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table half (id integer)")
    connection.execute("this is no SQL")


def test_a_new_journal_gets_every_migration_once(connection: duckdb.DuckDBPyConnection) -> None:
    assert schema.migrate(connection) == [migration.__name__ for migration in schema.MIGRATIONS]
    assert schema.migrate(connection) == []
    assert schema.applied(connection) == [migration.__name__ for migration in schema.MIGRATIONS]


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.table)
def test_every_field_of_a_row_has_its_column(connection: duckdb.DuckDBPyConnection, kind: type[Row]) -> None:
    schema.migrate(connection)
    found = connection.execute(
        "select column_name from duckdb_columns() where table_name = ?", [kind.table]
    ).fetchall()
    columns = {name for (name,) in found} - {"number"}
    assert columns == set(kind.__struct_fields__)


def test_an_older_journal_is_upgraded_and_keeps_its_rows(connection: duckdb.DuckDBPyConnection) -> None:
    schema.migrate(connection)
    connection.execute("insert into session_ends values ('s', now(), 'left')")
    assert schema.migrate(connection, [*schema.MIGRATIONS, add_mood]) == ["add_mood"]
    assert schema.applied(connection)[-1] == "add_mood"
    assert connection.execute("select id from session_ends").fetchall() == [("s",)]
    assert connection.execute("select mood from turns").fetchall() == []


def test_a_newer_journal_is_refused_and_untouched(connection: duckdb.DuckDBPyConnection) -> None:
    schema.migrate(connection, [*schema.MIGRATIONS, add_mood])
    with pytest.raises(JournalError, match=r"add_mood.*upgrade Townsfolk"):
        schema.migrate(connection)


def test_a_failing_migration_leaves_nothing_behind(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.ParserException):
        schema.migrate(connection, [*schema.MIGRATIONS, fail_halfway])
    assert schema.applied(connection) == [migration.__name__ for migration in schema.MIGRATIONS]
    found = connection.execute("select 1 from duckdb_tables() where table_name = 'half'").fetchall()
    assert found == []
