"""The socket: named questions are answered, anything else is turned away, and the journal only read."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal import service
from agent_runtime.journal.service import MAX_QUESTION, address_of, serve_queries
from agent_runtime.journal.snapshot import write_snapshot
from agent_runtime.journal.writer import Journal
from tests.support import rows as make


@pytest.fixture
async def sock(journal: Journal, path: Path) -> AsyncIterator[Path]:
    await journal.add(make.turn(1), make.turn(2))
    async with serve_queries(journal):
        yield path.with_suffix(".sock")


async def talk(sock: Path, question: bytes) -> list[dict[str, Any]]:
    with address_of(sock) as address:
        reader, writer = await asyncio.open_unix_connection(address, limit=1 << 24)
    writer.write(question)
    answer = await reader.read()
    writer.close()
    return [json.loads(line) for line in answer.splitlines()]


def question(**fields: Any) -> bytes:
    return json.dumps({"type": "ask", "query": "turns", **fields}).encode() + b"\n"


async def test_rows_and_then_an_end(sock: Path) -> None:
    *rows, end = await talk(sock, question(filter={"npc": "Ada"}))
    assert [row["row"]["line"] for row in rows] == ["line 2", "line 1"]
    assert end == {"end": True}


async def test_an_export_is_written_for_the_asker_to_take(sock: Path, path: Path) -> None:
    answer, end = await talk(sock, b'{"type":"export","name":"turns","format":"jsonl"}\n')
    assert end == {"end": True}
    assert Path(answer["path"]).parent == path.parent / "snapshots"
    with open(answer["path"], encoding="utf-8") as file:  # noqa: ASYNC230
        assert len(file.readlines()) == 2


@pytest.mark.parametrize(
    "asked",
    [
        b"\n",
        b"",
        b"select * from turns\n",
        b"[1, 2]\n",
        b"\xff\xfe\n",
        question(query="drop table turns"),
        question(query="turns; drop table turns"),
        question(filter={"limit": 1_000_000}),
        question(filter={"limit": 0}),
        question(filter={"where": "true"}),
        question(filter={"npc": "x" * 1000}),
        question(query="events", filter={"npc": "Ada"}),
        b'{"type":"export","name":"turns","format":"csv","path":"/tmp/x"}\n',
        b'{"type":"export","name":"migrations","format":"csv"}\n',
        b"[" * 60_000 + b"\n",
    ],
)
async def test_nonsense_gets_an_error_and_nothing_else(sock: Path, asked: bytes) -> None:
    if not asked.endswith(b"\n"):
        asked += b"\n"
    error, end = await talk(sock, asked)
    assert error["error"]
    assert "row" not in error
    assert end == {"end": True}
    assert len(await talk(sock, question())) == 3


async def test_a_question_without_end_is_hung_up_on(sock: Path) -> None:
    assert await talk(sock, b"x" * (MAX_QUESTION * 3)) == []
    assert len(await talk(sock, question())) == 3


async def test_one_that_asks_and_leaves_disturbs_nobody(sock: Path) -> None:
    for _ in range(10):
        _, writer = await asyncio.open_unix_connection(str(sock))
        writer.write(question())
        writer.transport.abort()
    assert len(await talk(sock, question())) == 3


async def test_a_copy_for_one_who_left_is_not_kept(
    sock: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = threading.Event()

    def slowly(*asked: Any) -> Path:
        ready.wait(10)
        return write_snapshot(*asked)

    monkeypatch.setattr(service, "write_snapshot", slowly)
    for asked in (b'{"type":"copy","scope":{}}\n', b'{"type":"copy","scope":{}}\n'):
        with address_of(sock) as address:
            _, writer = await asyncio.open_unix_connection(address)
        writer.write(asked)
        await writer.drain()
        writer.close()
    await asyncio.sleep(0.2)
    ready.set()
    assert len(await talk(sock, question())) == 3
    async with asyncio.timeout(10):
        while list((path.parent / "snapshots").glob(".snapshot-*")):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.05)


async def test_many_at_once(sock: Path) -> None:
    answers = await asyncio.gather(*(talk(sock, question()) for _ in range(30)))
    assert {len(answer) for answer in answers} == {3}


async def test_only_the_owner_can_connect(sock: Path) -> None:
    mode = os.stat(sock).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_a_dead_runtimes_socket_is_replaced_and_ours_removed(journal: Journal, path: Path) -> None:
    sock = path.with_suffix(".sock")
    sock.write_text("left behind")
    async with serve_queries(journal):
        assert await talk(sock, question()) == [{"end": True}]
    assert not sock.exists()


async def test_a_home_of_any_length_can_be_asked(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "journal.duckdb"
    path.parent.mkdir()
    journal = Journal.open(path, commit_ms=1)
    try:
        async with serve_queries(journal):
            assert await talk(path.with_suffix(".sock"), question()) == [{"end": True}]
        assert not path.with_suffix(".sock").exists()
    finally:
        await journal.close()


async def test_a_socket_that_cannot_be_made_is_told(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="choose another --home"):
        async with serve_queries(journal, tmp_path / "missing" / "journal.sock"):
            pass
