"""What was erased is in no byte of the journal's file once it is opened again, and all else is as it was."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import duckdb
import pytest

from agent_runtime.journal import compaction
from agent_runtime.journal.source import forget
from agent_runtime.journal.store import Store
from agent_runtime.journal.writer import Journal
from tests.support import rows as make

BERT = "b" * 16


@pytest.fixture
def erased(path: Path) -> Path:
    """A journal in which two hundred turns of a player were erased; the last rating has number 3."""
    store = Store(path, wait_s=0)
    store.commit([make.turn(number, line=f"SECRET {number}") for number in range(200)], new=True)
    store.commit([make.turn(300, player=BERT, line="bert's line")], new=True)
    store.commit([make.rating(number, turn=1, value=2) for number in (401, 402, 403)], new=True)
    store.commit([make.consent(500, "erase")], new=True)
    store.close()
    assert b"SECRET" in path.read_bytes()
    assert compaction.is_marked(path)
    return path


def test_opening_leaves_no_byte_of_it(erased: Path) -> None:
    store = Store(erased, wait_s=0)
    try:
        assert b"SECRET" not in erased.read_bytes()
        assert b"bert's line" in erased.read_bytes()
        assert not compaction.is_marked(erased)
        assert stat.S_IMODE(erased.stat().st_mode) == 0o600
        assert sorted(os.listdir(erased.parent)) == ["home", "journal.acks", "journal.duckdb"]
    finally:
        store.close()


def test_rows_numbers_and_keys_go_on(erased: Path) -> None:
    store = Store(erased, wait_s=0)
    store.commit([make.rating(403, turn=1, value=5), make.rating(404, turn=1, value=4)], new=False)
    run = store.database.connection.execute
    assert run("select count(*), max(number) from ratings").fetchone() == (4, 4)
    assert run("select value from latest_ratings").fetchall() == [(4,)]
    assert run("select count(*) from turns where line = ''").fetchone() == (200,)
    with pytest.raises(duckdb.ConstraintException):
        store.commit([make.rating(404, turn=1)], new=True)
    store.close()


def test_a_journal_beyond_its_memory_is_compacted_wherever_it_was_started(
    erased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a service manager, whose working directory nobody may write to."""
    with duckdb.connect(str(erased)) as connection:
        long = "to_json([{role: 'user', content: repeat(md5(number::varchar), 128)}])"
        connection.execute(
            f"insert into turns by name select t.* replace (number::varchar as id, {long} as prompt) "
            f"from turns t, range(20000) r(number) where t.player = '{BERT}'"
        )
    monkeypatch.setattr(compaction, "CONFIG", compaction.CONFIG | {"memory_limit": "64MB"})
    monkeypatch.chdir("/proc")
    Store(erased, wait_s=0).close()
    assert not compaction.is_marked(erased)
    assert b"SECRET" not in erased.read_bytes()
    assert sorted(os.listdir(erased.parent)) == ["home", "journal.acks", "journal.duckdb"]


def test_a_kill_while_compacting_loses_nothing(erased: Path) -> None:
    left = erased.with_suffix(".compact.duckdb")
    left.write_bytes(b"half a file")
    store = Store(erased, wait_s=0)
    assert store.database.connection.execute("select count(*) from turns").fetchone() == (201,)
    assert not left.exists()
    store.close()


def test_what_cannot_be_compacted_now_is_opened_and_tried_again(
    erased: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = erased.with_suffix(".compact.duckdb")
    blocker.mkdir()
    store = Store(erased, wait_s=0)
    assert store.database.connection.execute("select count(*) from turns").fetchone() == (201,)
    store.close()
    assert compaction.is_marked(erased)
    blocker.rmdir()
    Store(erased, wait_s=0).close()
    assert b"SECRET" not in erased.read_bytes()


def test_forgetting_with_the_server_down_compacts_at_once(path: Path) -> None:
    async def fill() -> None:
        journal = Journal.open(path)
        await journal.add(*(make.turn(number, line=f"SECRET {number}") for number in range(50)))
        await journal.close()

    asyncio.run(fill())
    forget(path, [make.consent(500, "erase")])
    assert b"SECRET" not in path.read_bytes()
