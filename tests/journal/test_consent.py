"""What players decide: the last word counts; who is erased leaves the journal, its logs and snapshots."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.consent import decide
from agent_runtime.journal.export import write_export
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.sealed import Scope
from agent_runtime.journal.snapshot import seal, snapshots_in, write_snapshot
from agent_runtime.journal.views import Filter
from agent_runtime.journal.writer import Journal
from tests.support import rows as make

ALICE, BERT = "0123456789abcdef", "fedcba9876543210"


async def fill(journal: Journal) -> None:
    """Alice and Bert both allow, talk, and rate; an action of Ada's for Alice failed."""
    await journal.add(make.turn(1, line="alice's secret"), make.turn(2, player=BERT, line="bert's line"))
    await journal.add(
        make.action(10, turn=1), make.result(10, result="failed", result_reason="alice is away")
    )
    await journal.add(make.rating(20, turn=1), make.rating(21, turn=2, player=BERT))
    await journal.add(make.demonstration(30, turn=1), make.event(1), make.event(2, player=BERT))
    await decide(journal, make.consent(40), make.consent(41, player=BERT))


async def test_the_last_word_counts(journal: Journal) -> None:
    await decide(journal, make.consent(1), make.consent(2, "withdraw"), make.consent(3, player=BERT))
    await decide(journal, make.consent(2, "allow"))
    found = await Queries(journal).consents()
    assert {view.player: view.choice for view in found} == {ALICE: "withdraw", BERT: "allow"}
    stats = await Queries(journal).stats()
    assert (stats.allowed, stats.withdrawn, stats.erased) == (1, 1, 0)


async def test_an_erased_player_has_no_words_left_and_nobody_else_loses_any(journal: Journal) -> None:
    await fill(journal)
    await decide(journal, make.consent(50, "erase"))
    queries = Queries(journal)
    gone, kept = await queries.turn(make.ulid(1)), await queries.turn(make.ulid(2))
    assert gone
    assert (gone.line, gone.reply, gone.raw, gone.prompt, gone.facts, gone.quoted) == ("", "", "", (), (), ())
    assert (gone.npc, gone.said_at, gone.player) == (kept.npc, make.turn(1).said_at, ALICE) if kept else False
    assert kept == make.turn(2, player=BERT, line="bert's line")
    (acted,) = await queries.actions()
    assert (acted.arguments, acted.result, acted.result_reason) == ({}, "failed", "")
    assert [event.what for event in await queries.events()] == ["default:stone", ""]
    assert [event.x for event in await queries.events()] == [1.0, None]
    stats = await queries.stats()
    assert (stats.turns, stats.ratings, stats.players, stats.erased) == (2, 2, 2, 1), "counts hold"
    assert await queries.recent_exchanges(gone.npc, ALICE) == []
    with journal.database.cursor() as cursor:
        assert cursor.execute("select text from demonstrations").fetchall() == [("",)]


async def test_the_logs_do_not_keep_what_was_erased(journal: Journal, path: Path) -> None:
    await fill(journal)
    assert b"alice's secret" in path.with_suffix(".acks").read_bytes()
    await decide(journal, make.consent(50, "erase"))
    async with asyncio.timeout(5):
        while b"alice's secret" in path.with_suffix(".acks").read_bytes():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)
    wal = path.with_suffix(".duckdb.wal")
    assert not wal.exists() or b"alice's secret" not in wal.read_bytes()


async def test_snapshots_with_the_player_go_and_others_stay(journal: Journal) -> None:
    await fill(journal)
    both = seal(write_snapshot(journal.database, Scope()))
    await decide(journal, make.consent(50, "withdraw"))
    bert_alone = seal(write_snapshot(journal.database, Scope()))
    assert await decide(journal, make.consent(51, "erase")) == [both]
    assert snapshots_in(journal.database.exports) == [bert_alone]
    assert await decide(journal, make.consent(51, "erase")) == [], "asking twice is harmless"


async def test_an_export_that_nobody_took_goes(journal: Journal) -> None:
    await fill(journal)
    write_export(journal.database, "turns", Filter(), "jsonl")
    await decide(journal, make.consent(50, "erase"))
    assert list(journal.database.exports.iterdir()) == []


async def test_who_comes_back_after_an_erasure_is_listed_but_counts_again(journal: Journal) -> None:
    await fill(journal)
    await decide(journal, make.consent(50, "erase"))
    await journal.add(make.turn(3, line="hello again"))
    await decide(journal, make.consent(51))
    assert (await Queries(journal).turns())[0].line == "hello again"
    view = next(view for view in await Queries(journal).consents() if view.player == ALICE)
    assert (view.choice, view.erased_at) == ("allow", make.consent(50).decided_at)


async def test_a_choice_that_is_none_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="refused a row"):
        await decide(journal, make.consent(1, "perhaps"))
