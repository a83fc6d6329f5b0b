"""The writer: acknowledged means on disk, one bad row harms no other, and trouble is said aloud."""

from __future__ import annotations

import asyncio
import errno
import json
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.acks import AckLog
from agent_runtime.journal.rows import NpcRow, SessionEndRow
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Message
from tests.support import rows as make

Start = Callable[..., "subprocess.Popen[str]"]
HERE = Path(__file__).parent


def ids(journal: Journal, table: str = "turns") -> list[str]:
    with journal.database.cursor() as cursor:
        return [id for (id,) in cursor.execute(f"select id from {table} order by id").fetchall()]


async def test_every_kind_of_row_is_there_once_it_is_acknowledged(journal: Journal) -> None:
    npc = NpcRow(
        id="n", server="v", name="Ada", persona="smith", x=1, y=2, z=3, state="spawned", seen_at=make.START
    )
    end = SessionEndRow(id=make.session().id, closed_at=make.START)
    await journal.add(make.turn(1), make.action(2, turn=1), make.result(2), make.rating(3, turn=1))
    await journal.add(make.session(), end, make.event(1), make.event(1), npc)
    for table in ("turns", "actions", "action_results", "ratings", "sessions", "session_ends", "npcs"):
        assert len(ids(journal, table)) == 1, table
    with journal.database.cursor() as cursor:
        assert cursor.execute("select count(*) from events").fetchone() == (2,)
        assert cursor.execute("select result from action_fates").fetchone() == ("done",)


async def test_many_at_once_are_all_kept(journal: Journal) -> None:
    await asyncio.gather(*(journal.add(make.turn(number)) for number in range(500)))
    assert ids(journal) == [make.ulid(number) for number in range(500)]


async def test_a_backlog_of_long_rows_is_written_in_portions(path: Path) -> None:
    journal = Journal.open(path, commit_ms=400)
    await journal.add(make.turn(0))
    long = (Message("user", "word " * 1000),)
    await asyncio.gather(*(journal.add(make.turn(number, prompt=long)) for number in range(1, 4000)))
    assert journal.alarm is None
    assert len(ids(journal)) == 4000
    await journal.close()


async def test_what_is_on_disk_and_not_in_the_ack_log_is_not_stored_twice(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, fails = AckLog.append, [True]

    def once(log: AckLog, tables: list[tuple[str, bytes]]) -> None:
        if fails:
            fails.clear()
            raise OSError(errno.ENOSPC, "no space left")
        append(log, tables)

    monkeypatch.setattr(AckLog, "append", once)
    await asyncio.gather(journal.add(make.turn(1)), journal.add(make.event(1), make.event(2)))
    with journal.database.cursor() as cursor:
        assert cursor.execute("select count(*) from events").fetchone() == (2,)
    assert ids(journal) == [make.ulid(1)]


async def test_concurrent_rows_share_commits(path: Path) -> None:
    journal = Journal.open(path, commit_ms=200)
    await journal.add(make.turn(0))
    await asyncio.gather(*(journal.add(make.turn(number)) for number in range(1, 50)))
    await journal.close()
    journal = Journal.open(path)
    assert len(ids(journal)) == 50
    await journal.close()


async def test_replays_are_acknowledged_and_stored_once(journal: Journal) -> None:
    await journal.add(make.rating(1, turn=1, value=2))
    await asyncio.gather(
        journal.add(make.rating(1, turn=1, value=5)),
        journal.add(make.rating(2, turn=1), make.rating(2, turn=1)),
        journal.add(make.rating(3, turn=1)),
    )
    assert ids(journal, "ratings") == [make.ulid(1), make.ulid(2), make.ulid(3)]


@pytest.mark.parametrize(
    "bad",
    [
        make.rating(9, turn=1, value=6),
        make.rating(9, turn=1, scale="gut"),
        make.rating(9, turn=1, player="lone \ud800 surrogate"),
        make.turn(9, seed=2**70),
        make.turn(9, line=None),
        make.turn(9, first_token_ms="soon"),
        make.turn(9, line=object()),
    ],
    ids=["range", "scale", "surrogate", "overflow", "missing", "type", "object"],
)
async def test_a_bad_row_fails_alone(journal: Journal, bad: object) -> None:
    results = await asyncio.gather(
        journal.add(make.turn(1), make.rating(2, turn=1)),
        journal.add(make.turn(3), bad),  # type: ignore[arg-type]
        journal.add(make.turn(4)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), JournalError, type(None)]
    assert "refused a row" in str(results[1])
    assert ids(journal) == [make.ulid(1), make.ulid(4)], "what stood with the bad row falls with it"
    assert not journal.read_only


async def test_the_last_rating_to_arrive_counts_whatever_the_clock_says(journal: Journal) -> None:
    await journal.add(make.rating(500, turn=1, value=5))
    await journal.add(make.rating(5, turn=1, value=1))
    await journal.add(make.rating(6, turn=1, value=3, player="ffff"))
    with journal.database.cursor() as cursor:
        found = cursor.execute("select player, value from latest_ratings order by player").fetchall()
    assert found == [("0123456789abcdef", 1), ("ffff", 3)]


async def test_more_rows_than_may_wait_are_refused_at_once(path: Path) -> None:
    journal = Journal.open(path, commit_ms=60_000, max_pending=3)
    await journal.add(make.turn(0))
    waiting = [asyncio.create_task(journal.add(make.turn(number))) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    with pytest.raises(JournalError, match="behind: 3 rows wait"):
        await journal.add(make.turn(4))
    await journal.close()
    assert [task.exception() for task in await asyncio.wait(waiting) and waiting] == [None] * 3


async def test_close_writes_what_waits_and_then_refuses(path: Path) -> None:
    journal = Journal.open(path, commit_ms=60_000)
    await journal.add(make.turn(0))
    waiting = asyncio.create_task(journal.add(make.turn(1)))
    await asyncio.sleep(0)
    await journal.close()
    await journal.close()
    await waiting
    with pytest.raises(JournalError, match="closed"):
        await journal.add(make.turn(2))
    assert path.with_suffix(".acks").stat().st_size == 0
    assert not path.with_suffix(".duckdb.wal").exists()
    again = Journal.open(path)
    assert (ids(again), again.recovered) == ([make.ulid(0), make.ulid(1)], 0)
    await again.close()


async def test_a_cancelled_caller_disturbs_nobody(path: Path) -> None:
    journal = Journal.open(path, commit_ms=300)
    await journal.add(make.turn(0))
    cancelled = asyncio.create_task(journal.add(make.turn(1)))
    other = asyncio.create_task(journal.add(make.turn(2)))
    await asyncio.sleep(0)
    cancelled.cancel()
    await other
    assert make.ulid(2) in ids(journal)
    await journal.close()


async def test_an_event_loop_that_is_gone_disturbs_nobody(journal: Journal) -> None:
    async def add_and_leave() -> None:
        task = asyncio.create_task(journal.add(make.turn(1)))
        await asyncio.sleep(0)
        task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(add_and_leave()))
    thread.start()
    thread.join()
    await journal.add(make.turn(2))
    assert make.ulid(2) in ids(journal)


@pytest.mark.parametrize("grows", [".duckdb.wal", ".acks"])
def test_a_full_disk_is_never_acknowledged_and_heals(path: Path, start_child: Start, grows: str) -> None:
    child = start_child(HERE / "full_disk_child.py", path, grows)
    said, _ = child.communicate(timeout=60)
    assert said.splitlines() == ["refused", "read-only", "writable", "alarm ended"]
    path.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    journal = Journal.open(path)
    assert set(ids(journal, "ratings")) == {"before", "during", "after"}
    asyncio.run(journal.close())


def test_killed_at_any_moment_it_keeps_what_it_acknowledged(path: Path, start_child: Start) -> None:
    random.seed(20)
    acknowledged: set[str] = set()
    for loop in range(20):
        child = start_child(HERE / "writing_child.py", path, loop)
        assert child.stdout
        acknowledged.add(child.stdout.readline().strip())
        time.sleep(random.random() / 10)
        child.kill()
        acknowledged |= {line.strip() for line in child.stdout if line.endswith("\n")}
        child.wait()
    journal = Journal.open(path)
    stored = ids(journal) + ids(journal, "ratings")
    asyncio.run(journal.close())
    assert len(acknowledged) > 100
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))


def test_importing_the_rows_costs_no_database(start_child: Start) -> None:
    code = (
        "import sys, json, agent_runtime.journal.rows, agent_runtime.journal.pseudonym; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    said, _ = start_child("-c", code).communicate(timeout=60)
    assert not {"duckdb", "rich", "typer"} & set(json.loads(said))
