"""The store: what was committed is there after a crash, whatever the crash left of the write-ahead log."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.store import Store
from tests.support import rows as make


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path, wait_s=0)
    yield opened
    opened.close()


def ids(store: Store, table: str = "turns") -> list[str]:
    return [
        id for (id,) in store.database.connection.execute(f"select id from {table} order by id").fetchall()
    ]


def crash(path: Path, to: Path) -> Path:
    """The files as they are on disk while the store is open: what a power cut leaves."""
    to.mkdir()
    for file in path.parent.glob("journal.*"):
        shutil.copy(file, to)
    return to / path.name


def test_everything_in_a_turn_is_stored(store: Store) -> None:
    row = make.turn(1, line="NUL \0, “ü”, ☃", adapter="a" * 64, flagged=True, flag_reason="why")
    store.commit([row], new=True)
    columns = (
        "line",
        "said_at::timestamp",
        "facts->>'$[0].value'",
        "quoted",
        "sampling->>'$.seed'",
        "flag_reason",
    )
    found = store.database.connection.execute(f"select {', '.join(columns)} from turns").fetchone()
    assert found == (row.line, row.said_at.replace(tzinfo=None), row.facts[0].value, [1], "7", "why")


def test_a_key_that_is_there_is_left_as_it_is(store: Store) -> None:
    store.commit([make.rating(1, turn=1, value=2)], new=True)
    with pytest.raises(duckdb.ConstraintException):
        store.commit([make.rating(1, turn=1, value=5)], new=True)
    store.commit([make.rating(1, turn=1, value=5), make.rating(2, turn=1), make.rating(2, turn=9)], new=False)
    found = store.database.connection.execute("select id, turn, value from ratings order by id").fetchall()
    first, second = make.rating(1, turn=1), make.rating(2, turn=1)
    assert found == [(first.id, first.turn, 2), (second.id, second.turn, 5)]


def test_torn_write_ahead_log_loses_nothing(store: Store, path: Path, tmp_path: Path) -> None:
    store.commit([make.session()], new=True)
    rows = [make.turn(number) for number in range(8)]
    for row in rows:
        store.commit([row, make.rating(int(row.id[-4:]) + 100, turn=1)], new=True)
    log = path.with_suffix(".duckdb.wal")
    size = log.stat().st_size
    assert size > 1000
    recovered = set()
    for index, length in enumerate([0, 1, 20, size // 3, size // 2, size - 200, size - 1, size]):
        copy = crash(path, tmp_path / str(index))
        with open(copy.with_suffix(".duckdb.wal"), "r+b") as file:
            file.truncate(length)
        again = Store(copy, wait_s=0)
        assert ids(again) == [row.id for row in rows]
        assert len(ids(again, "ratings")) == 8
        assert len(ids(again, "sessions")) == 1
        recovered.add(again.recovered)
        again.close()
    assert max(recovered) == 17, "truncating to nothing must have lost every row"
    assert 0 in recovered, "the whole log must have lost none"


def test_damaged_write_ahead_log_loses_nothing_either(store: Store, path: Path, tmp_path: Path) -> None:
    rows = [make.turn(number) for number in range(8)]
    for row in rows:
        store.commit([row], new=True)
    log = path.with_suffix(".duckdb.wal")
    size = log.stat().st_size
    refusals = []
    for index, at in enumerate([5, 60, size // 3, size // 2, size - 40]):
        copy = crash(path, tmp_path / str(index))
        content = bytearray(log.read_bytes())
        content[at] ^= 0xFF
        copy.with_suffix(".duckdb.wal").write_bytes(content)
        try:
            again = Store(copy, wait_s=0)
        except JournalError as error:
            refusals.append(str(error))
            copy.with_suffix(".duckdb.wal").unlink()
            again = Store(copy, wait_s=0)
        assert ids(again) == [row.id for row in rows]
        again.close()
    assert refusals, "no flipped byte was noticed"
    assert all("Move it away and start again" in refusal for refusal in refusals)


def test_what_was_erased_stays_erased_when_the_write_ahead_log_is_lost(
    store: Store, path: Path, tmp_path: Path
) -> None:
    """The logs still hold the turns and the erasure: recovering them must end where the journal was."""
    store.commit([make.turn(1), make.turn(2, player="b" * 16)], new=True)
    store.commit([make.consent(3, "erase")], new=True)
    store.commit([make.turn(4)], new=True)
    copy = crash(path, tmp_path / "copy")
    copy.with_suffix(".duckdb.wal").unlink()
    again = Store(copy, wait_s=0)
    assert again.recovered == 4
    found = again.database.connection.execute("select line from turns order by id").fetchall()
    assert found == [("",), ("line 2",), ("line 4",)]
    again.close()


def test_recovery_happens_once(store: Store, path: Path, tmp_path: Path) -> None:
    store.commit([make.turn(1)], new=True)
    copy = crash(path, tmp_path / "copy")
    copy.with_suffix(".duckdb.wal").unlink()
    again = Store(copy, wait_s=0)
    assert again.recovered == 1
    again.close()
    again = Store(copy, wait_s=0)
    assert (again.recovered, ids(again)) == (0, [make.turn(1).id])
    again.close()


def test_a_checkpoint_empties_both_logs_and_keeps_the_rows(store: Store, path: Path) -> None:
    store.commit([make.turn(1)], new=True)
    with store.database.cursor() as reader:
        reader.execute("begin")
        reader.execute("select id from turns").fetchall()
        store.checkpoint()
    assert path.with_suffix(".acks").stat().st_size == 0
    wal = path.with_suffix(".duckdb.wal")
    assert not wal.exists() or wal.stat().st_size == 0
    assert ids(store) == [make.turn(1).id]


def test_an_ack_log_of_older_rows_still_reads(path: Path) -> None:
    """Fields that have a default may be missing: a later version may add some."""
    store = Store(path, wait_s=0)
    store.commit([make.action(1, turn=1)], new=True)
    line = path.with_suffix(".acks").read_bytes()
    store.close()
    assert b'"reason":""' in line
    body = line[9:-1].replace(b',"reason":""', b"").replace(make.action(1, 1).id.encode(), b"another")
    path.with_suffix(".acks").write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))
    store = Store(path, wait_s=0)
    assert ids(store, "actions") == [make.action(1, turn=1).id, "another"]
    store.close()
