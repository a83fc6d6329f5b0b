"""Reading from another process: the file when it is free, else the runtime that has it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from agent_runtime.errors import JournalError, JournalLocked, SnapshotError
from agent_runtime.journal import service
from agent_runtime.journal.sealed import Scope, verify
from agent_runtime.journal.snapshot import seal, snapshots_in, write_snapshot
from agent_runtime.journal.source import (
    Source,
    ask,
    erasures,
    forget,
    open_source,
    take_snapshot,
    withdrawn,
)
from agent_runtime.journal.statements import QueryName
from agent_runtime.journal.views import MAX_PLAYERS, Erasure, Filter, TurnSummary
from agent_runtime.journal.writer import Journal
from tests.support import rows as make

SERVE = """
import asyncio, sys
from pathlib import Path
from agent_runtime.journal.service import serve_queries
from agent_runtime.journal.writer import Journal

async def main():
    journal = Journal.open(Path(sys.argv[1]))
    async with serve_queries(journal):
        print("serving", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def filled(path: Path) -> Path:
    async def fill() -> None:
        journal = Journal.open(path)
        await journal.add(make.turn(1), make.turn(2), make.rating(3, turn=1), make.consent(4))
        await journal.close()

    asyncio.run(fill())
    return path


def lines(path: Path, chosen: Filter = Filter()) -> list[str]:  # noqa: B008
    with open_source(path) as source:
        return [turn.line for turn in ask(source, "turns", chosen, TurnSummary)]


def test_the_file_and_the_socket_answer_the_same(filled: Path, start_child: Start) -> None:
    from_file = lines(filled), lines(filled, Filter(limit=1)), lines(filled, Filter(npc="Bob"))
    with open_source(filled) as source:
        exported = source.export("turns", Filter(), "jsonl").read_bytes()
    with start_child("-c", SERVE, filled) as runtime:
        assert runtime.stdout
        assert runtime.stdout.readline() == "serving\n"
        assert (lines(filled), lines(filled, Filter(limit=1)), lines(filled, Filter(npc="Bob"))) == from_file
        with open_source(filled) as source:
            assert source.export("turns", Filter(), "jsonl").read_bytes() == exported
            with pytest.raises(JournalError, match="events cannot be filtered by NPC"):
                source.rows("events", Filter(npc="Ada"))
        runtime.kill()
    assert lines(filled) == ["line 2", "line 1"], "a killed runtime's socket must not be in the way"


def test_a_snapshot_is_the_same_from_both_and_forgetting_reaches_both(
    filled: Path, start_child: Start, tmp_path: Path
) -> None:
    with open_source(filled) as source:
        from_file = verify(seal(source.snapshot(Scope()), tmp_path / "one"))
    with start_child("-c", SERVE, filled) as runtime:
        assert runtime.stdout
        assert runtime.stdout.readline() == "serving\n"
        with open_source(filled) as source:
            sealed = take_snapshot(source, Scope())
        assert verify(sealed).digest == from_file.digest
        assert forget(filled, [make.consent(5, "erase", make.turn(1).player)]) == [sealed]
        assert lines(filled) == ["", ""]
        runtime.kill()
    asyncio.run(_add(filled))
    assert lines(filled) == ["line 6", "", ""], "forgotten for good, also after a kill"
    with open_source(filled) as source:
        (erasure,) = erasures(source).values()
    assert erasure == Erasure(make.turn(1).player, make.consent(5).decided_at, 1)
    assert forget(filled, [make.consent(7, "erase", make.turn(6).player)]) == []
    assert lines(filled) == ["", "", ""]
    assert snapshots_in(filled.parent / "snapshots") == []


async def _add(path: Path) -> None:
    journal = Journal.open(path)
    await journal.add(make.turn(6))
    await journal.close()


def test_who_withdrew_is_told_of_those_who_are_asked_for(path: Path) -> None:
    async def fill() -> None:
        journal = Journal.open(path)
        await journal.add(make.consent(1), make.consent(2, "withdraw", "b" * 16))
        await journal.add(make.consent(3, "erase", "c" * 16), make.consent(4, "allow", "c" * 16))
        await journal.add(make.consent(5, "erase", "d" * 16), make.consent(6, "withdraw", "e" * 16))
        await journal.close()

    asyncio.run(fill())
    others = [f"{number:016}" for number in range(MAX_PLAYERS)]
    with open_source(path) as source:
        assert withdrawn(source, ["b" * 16, "c" * 16, "d" * 16, *others]) == {"b" * 16, "d" * 16}
        assert withdrawn(source, []) == set()


class ErasedMeanwhile:
    """A source whose only player is erased while the asker takes the snapshot elsewhere."""

    def __init__(self, real: Source) -> None:
        self.snapshot, self.export = real.snapshot, real.export

    def rows(self, query: QueryName, chosen: Filter) -> list[bytes]:
        assert query == "erasures"
        return [msgspec.json.encode(Erasure(make.turn(1).player, make.START, 1))]


def test_a_snapshot_of_who_is_erased_while_it_is_carried_away_is_not_kept(
    filled: Path, tmp_path: Path
) -> None:
    with open_source(filled) as source, pytest.raises(SnapshotError, match="was erased while it was made"):
        take_snapshot(ErasedMeanwhile(source), Scope(), tmp_path / "elsewhere" / "snapshot")
    assert list((tmp_path / "elsewhere").iterdir()) == []


ASKER = """
import sys
from pathlib import Path
from agent_runtime.journal import source
from agent_runtime.journal.sealed import Scope
source.TIMEOUT_S = 0.2
with source.open_source(Path(sys.argv[1])) as journal:
    print(source.take_snapshot(journal, Scope()))
"""


async def test_a_copy_takes_as_long_as_it_takes(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(*asked: Any) -> Path:
        time.sleep(0.6)
        return write_snapshot(*asked)

    monkeypatch.setattr(service, "write_snapshot", slowly)
    journal = Journal.open(filled)
    async with service.serve_queries(journal):
        asker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASKER, str(filled), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asker.communicate()
    await journal.close()
    assert asker.returncode == 0
    assert b"/snapshots/" in said


def test_who_is_to_be_forgotten_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        forget(tmp_path / "journal.duckdb", [make.consent(1, "erase")])
    assert not (tmp_path / "journal.duckdb").exists()


def test_reading_the_file_changes_nothing(filled: Path) -> None:
    before = filled.read_bytes()
    lines(filled)
    assert filled.read_bytes() == before
    assert not filled.with_suffix(".duckdb.wal").exists()


def test_a_locked_file_without_a_socket(filled: Path, start_child: Start) -> None:
    with start_child("-c", HOLD, filled, 600) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(JournalLocked, match="in use by another process"):
            lines(filled)
        with pytest.raises(JournalLocked, match="in use by another process"):
            forget(filled, [make.consent(5, "erase")])
        holder.kill()


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal at"):
        lines(tmp_path / "journal.duckdb")


def test_an_older_journal_is_left_to_the_server(path: Path) -> None:
    duckdb.connect(str(path)).close()
    with pytest.raises(JournalError, match="start `townsfolk serve` once"):
        lines(path)
