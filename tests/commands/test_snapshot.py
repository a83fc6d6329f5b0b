"""`townsfolk journal snapshot | verify | forget`: what an admin reads and what is on disk afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_runtime.commands import journal
from agent_runtime.errors import JournalError, SnapshotError
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.sealed import read_snapshot
from agent_runtime.journal.snapshot import snapshots_in
from agent_runtime.journal.writer import Journal
from tests.support import rows as make


def run(*arguments: str, answer: str = "", fails: bool = False) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(journal.app, arguments, input=answer)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert bool(result.exit_code) == fails, result.output
    return result.output


@pytest.fixture
def filled(home: Path) -> Path:
    """Alice, who allowed it, has a rated turn on each of two servers; Bert did not say."""
    pseudonyms = Pseudonyms.of_home(home)
    here, there = make.session().server, make.ulid(900_005)
    alice = [pseudonyms.of(server, "alice") for server in (here, there)]
    bert = pseudonyms.of(here, "bert")

    async def fill() -> None:
        journal = Journal.open(home / "journal.duckdb")
        await journal.add(make.session(), make.session(id=make.ulid(900_006), server=there))
        for number, player in enumerate([*alice, bert], 1):
            await journal.add(
                make.turn(number, player=player), make.rating(number + 10, number, player=player)
            )
        await journal.add(make.consent(20, player=alice[0]), make.consent(21, player=alice[1]))
        await journal.close()

    asyncio.run(fill())
    return home


def test_snapshot_says_what_is_in_and_what_is_not(filled: Path, tmp_path: Path) -> None:
    said = run("snapshot")
    (folder,) = snapshots_in(filled / "snapshots")
    assert f"sealed 2 rated turns of 2 players in {folder}" in said
    assert "left out: 1 turns of 1 players without consent, 0 erased, 0 not rated" in said
    assert "is as it was sealed" in run("verify", str(folder))
    run("snapshot", "--out", str(tmp_path / "mine"), "--since", "2026-11-20T18:00:02+00:00")
    assert [turn.id for turn in read_snapshot(tmp_path / "mine").turns] == [make.ulid(2)]
    with pytest.raises(SnapshotError, match="never overwritten"):
        run("snapshot", "--out", str(tmp_path / "mine"))


def test_the_setting_decides_about_who_never_said(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_PRIVACY__CONSENT", "opt-out")
    assert "3 rated turns of 3 players" in run("snapshot")


def test_forget_asks_first_and_reaches_all_servers_and_snapshots(filled: Path) -> None:
    run("snapshot")
    assert "Erase what alice said, on 2 game servers?" in run("forget", "alice", answer="n\n", fails=True)
    assert "line 1" in run("turns", "--player", "alice")
    (folder,) = snapshots_in(filled / "snapshots")
    said = run("forget", "alice", "--yes")
    assert "snapshots deleted with it: 1" in said
    assert str(folder) in said
    assert not folder.exists()
    left = run("turns")
    assert "line 3" in left
    assert "line 1" not in left
    assert "2 had it erased" in run("stats")


def test_forget_takes_a_whole_pseudonym_and_not_a_part(filled: Path) -> None:
    bert = Pseudonyms.of_home(filled).of(make.session().server, "bert")
    run("forget", bert, "--yes")
    assert "line 3" not in run("turns")
    assert "line 1" in run("turns")


def test_forget_where_nobody_was(home: Path) -> None:
    asyncio.run(Journal.open(home / "journal.duckdb").close())
    with pytest.raises(JournalError, match="nothing of a player called alice"):
        run("forget", "alice", "--yes")


def test_forget_finds_who_talked_on_a_server_whose_coming_found_no_room(home: Path) -> None:
    async def add() -> None:
        journal = Journal.open(home / "journal.duckdb")
        alice = Pseudonyms.of_home(home).of(make.turn(1).server, "alice")
        await journal.add(make.turn(1, player=alice, line="my secret"))
        await journal.close()

    asyncio.run(add())
    assert "erased what alice said" in run("forget", "alice", "--yes")


@pytest.mark.parametrize("name", ["alise", "Alice", "0123456789abcdee"])
def test_forget_refuses_a_name_that_nobody_has(filled: Path, name: str) -> None:
    with pytest.raises(JournalError, match=f"nothing of a player called {name}.*nothing was erased"):
        run("forget", name, "--yes")
    assert len(run("turns").splitlines()) == 4
    assert "0 had it erased" in run("stats")


def test_forget_finds_who_never_talked(filled: Path) -> None:
    """Digging is journaled, too."""
    digger = Pseudonyms.of_home(filled).of(make.session().server, "digger")

    async def dig() -> None:
        journal = Journal.open(filled / "journal.duckdb")
        await journal.add(make.event(1, player=digger))
        await journal.close()

    asyncio.run(dig())
    assert "on 1 game servers?" in run("forget", "digger", answer="y\n")
    assert "default:stone" not in run("events")
