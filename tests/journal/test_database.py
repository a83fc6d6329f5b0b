"""The database file: one process at a time, and no way from SQL to anything else on the machine."""

from __future__ import annotations

import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from agent_runtime.errors import JournalError, JournalLocked
from agent_runtime.journal.database import Database

HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/hostname')",
        "select * from read_text('{home}/secret.txt')",
        "copy (select 1) to '{home}/out.csv'",
        "copy (select 1) to '{home}/snapshots/../out.csv'",
        "attach '{home}/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
    ],
)
def test_sql_reaches_nothing_but_the_journal(database: Database, tmp_path: Path, statement: str) -> None:
    (tmp_path / "secret.txt").write_text("token")
    (tmp_path / "snapshots").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with database.cursor() as cursor, pytest.raises(duckdb.Error):
        cursor.execute(statement.format(home=tmp_path)).fetchall()
    assert sorted(tmp_path.rglob("*")) == before


def test_exports_may_be_written(database: Database, tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    with database.cursor() as cursor:
        cursor.execute(f"copy (select 1 as one) to '{tmp_path}/snapshots/out.csv'")
    assert (tmp_path / "snapshots" / "out.csv").read_text() == "one\n1\n"


def test_only_the_owner_can_read_the_file(database: Database) -> None:
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600


def test_a_file_in_use_elsewhere_is_said_to_be(
    path: Path, start_child: Callable[..., subprocess.Popen[str]]
) -> None:
    with start_child("-c", HOLD, path, 600) as child:
        assert child.stdout
        assert child.stdout.readline() == "open\n"
        with pytest.raises(JournalLocked, match="in use by another process"):
            Database(path)
        child.kill()


def test_waits_for_a_process_that_lets_go(
    path: Path, start_child: Callable[..., subprocess.Popen[str]]
) -> None:
    with start_child("-c", HOLD, path, 0.5) as child:
        assert child.stdout
        assert child.stdout.readline() == "open\n"
        Database(path, wait_s=30).close()


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"short"])
def test_what_is_no_journal_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"journal\.duckdb"):
        Database(path)
    assert path.read_bytes() == content


def test_reading_makes_no_journal(path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        Database(path, read_only=True)
    assert not path.exists()


def test_a_closed_journal_says_so(path: Path) -> None:
    database = Database(path)
    database.close()
    with pytest.raises(JournalError, match="closed"), database.cursor():
        pass


def test_reopen_ends_a_dead_connection(database: Database) -> None:
    database.connection.execute("create table kept (id integer)")
    database.connection.close()
    database.reopen()
    assert database.connection.execute("select * from kept").fetchall() == []


def test_reopen_waits_for_readers_to_finish(database: Database) -> None:
    database.connection.execute("create table kept as select 1 as id")
    with database.cursor() as cursor:
        thread = threading.Thread(target=database.reopen)
        thread.start()
        assert cursor.execute("select id from kept").fetchall() == [(1,)]
    thread.join()
    assert database.connection.execute("select id from kept").fetchall() == [(1,)]
