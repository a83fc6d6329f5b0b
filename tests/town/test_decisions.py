"""Whoever asks for it, an erasure leaves no word of before: not in a reply under way, nor in what follows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.consent import decide
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.rows import ConsentRow, TurnRow
from agent_runtime.journal.service import Forget, serve_queries, socket_path
from agent_runtime.journal.writer import Journal
from agent_runtime.town import decisions
from tests.support.engine import Reply, ScriptedEngine
from tests.support.game import MIRA, SERVER, Game, chat, make_id
from tests.support.runtime import Running, town
from tests.town.test_town import answer

SECRET = "my secret is under the mat"


def erasure(running: Running) -> ConsentRow:
    player = running.pseudonyms.of(SERVER, "alice")
    return ConsentRow(id=make_id(), player=player, choice="erase", decided_at=datetime.now(UTC))


def everything(home: Path) -> str:
    """What the journal has of lines, prompts and corrections."""
    with duckdb.connect(str(home / "journal.duckdb"), read_only=True) as connection:
        turns = connection.execute("select line, reply, prompt::varchar from turns").fetchall()
        shown = connection.execute("select text from demonstrations").fetchall()
    return str([*turns, *shown])


async def test_forgetting_by_an_admin_ends_the_reply_under_way(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(["I am Mira.", Reply("It is safe with me.", gate=gate)])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await answer(game, chat(SECRET))
        await game.send(chat("tell me more"))
        while len(engine.requests) < 2:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)
        async with serve_queries(running.journal, forget=running.decisions.decide):
            reader, writer = await asyncio.open_unix_connection(socket_path(tmp_path / "journal.duckdb"))
            writer.write(msgspec.json.encode(Forget((erasure(running),))) + b"\n")
            assert await reader.read() == b'{"end":true}\n'
            writer.close()
        gate.set()
        assert await running.memory.recall(MIRA, erasure(running).player) == []
    assert "secret" not in everything(tmp_path)


async def test_what_is_said_while_the_journal_forgets_is_answered_without_what_was_before(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine(["I am Mira.", "Good day."])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await answer(game, chat(SECRET))
        await game.send({"type": "consent", "id": make_id(), "player": "alice", "choice": "erase"})
        await answer(game, chat("hello again"))
        assert "secret" not in str(engine.requests[-1])
    assert "secret" not in everything(tmp_path)
    assert "hello again" in everything(tmp_path)


async def test_an_erasure_that_cannot_be_ended_is_forgotten_by_the_npcs_all_the_same(tmp_path: Path) -> None:
    damaged = tmp_path / "snapshots" / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    engine = ScriptedEngine(["I am Mira.", "Good day."])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await answer(game, chat(SECRET))
        with pytest.raises(JournalError, match="damaged"):
            await running.decisions.decide(erasure(running))
        await answer(game, chat("hello again"))
    assert "secret" not in everything(tmp_path)


class SlowQueries(Queries):
    """A journal so large that looking up a reply takes its time."""

    async def turn(self, id: str) -> TurnRow | None:
        found = await super().turn(id)
        await asyncio.sleep(0.2)
        return found


async def test_a_correction_sent_before_an_erasure_goes_with_it(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        reply = (await answer(game, chat("hello")))[-1]["reply"]
    # After a restart the runtime has to look the reply up, and the mod sends again what was not acked.
    async with (
        town(tmp_path, ScriptedEngine(), asking=SlowQueries) as running,
        Game(running.port) as game,
    ):
        shown = {"type": "demonstration", "id": make_id(), "reply": reply, "player": "alice", "text": SECRET}
        erase = {"type": "consent", "id": make_id(), "player": "alice", "choice": "erase"}
        await game.send(shown)
        await game.send(erase)
        acked: list[str] = []
        async with asyncio.timeout(10):
            while len(acked) < 2:
                acked += (await game.receive()).get("ids", [])
    assert acked == [shown["id"], erase["id"]]
    assert "secret" not in everything(tmp_path)


async def test_a_correction_of_what_was_erased_while_the_runtime_was_away_goes_with_it(
    tmp_path: Path,
) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        reply = (await answer(game, chat("hello")))[-1]["reply"]
        await running.decisions.decide(erasure(running))
        shown = {"type": "demonstration", "id": make_id(), "reply": reply, "player": "alice", "text": SECRET}
        assert await game.ask(shown) == {"type": "ack", "ids": [shown["id"]]}
    assert "secret" not in everything(tmp_path)


async def test_a_line_that_waited_for_an_erasure_has_no_more_time_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(journal: Journal, *rows: ConsentRow) -> list[Path]:
        await asyncio.sleep(0.8)
        return await decide(journal, *rows)

    monkeypatch.setattr(decisions, "decide", slowly)
    engine = ScriptedEngine([Reply("Good day.", first=0.5)])
    async with town(tmp_path, engine, deadline_s=1.0) as running, Game(running.port) as game:
        await game.send({"type": "consent", "id": make_id(), "player": "alice", "choice": "erase"})
        assert (await answer(game, chat("hello")))[-1]["source"] == "late"
