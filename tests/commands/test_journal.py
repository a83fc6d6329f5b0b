"""`townsfolk journal`: what an admin sees, asks for and takes away."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_runtime.commands import journal
from agent_runtime.errors import JournalError
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.service import serve_queries
from agent_runtime.journal.writer import Journal
from tests.support import rows as make


def run(*arguments: str) -> str:
    """The output of a command that must succeed; an error of ours is raised as it is."""
    result = CliRunner(env={"COLUMNS": "200", "TZ": "UTC"}).invoke(journal.app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def rows(*arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(*arguments, "--json").splitlines()]


@pytest.fixture
def empty(home: Path) -> Path:
    asyncio.run(Journal.open(home / "journal.duckdb").close())
    return home


@pytest.fixture
def filled(home: Path) -> Path:
    """Alice talks with Ada twice, on two servers with one name; Bert talks with Bob once."""
    pseudonyms = Pseudonyms.of_home(home)
    here, there = make.session().server, make.ulid(900_005)
    alice_here, alice_there, bert = (
        pseudonyms.of(here, "alice"),
        pseudonyms.of(there, "alice"),
        pseudonyms.of(here, "bert"),
    )

    async def fill() -> None:
        journal = Journal.open(home / "journal.duckdb")
        await journal.add(
            make.session(),
            make.session(id=make.ulid(900_006), server=there),
            make.turn(1, player=alice_here),
            make.turn(2, player=alice_there, line="\x1b[31m[bold]red[/bold] \u202eevil", flagged=True),
            make.turn(3, player=bert, npc_name="Bob", source="busy", reply="One moment.", prompt=(), raw=""),
            make.action(10, turn=2),
            make.result(10, result="failed", result_reason="no path"),
            make.rating(20, turn=1, player=alice_here, value=2),
            make.event(4, player=bert),
        )
        await journal.add(make.rating(21, turn=1, player=alice_here, value=4))
        await journal.close()

    asyncio.run(fill())
    return home


def lines(*arguments: str) -> list[object]:
    return [row["line"] for row in rows("turns", *arguments)]


def test_without_a_journal_it_says_where_it_looked(home: Path) -> None:
    with pytest.raises(JournalError, match=f"no journal at {home}"):
        run("turns")


@pytest.mark.parametrize("what", ["turns", "ratings", "events", "actions"])
def test_an_empty_journal_says_what_to_do(empty: Path, what: str) -> None:
    assert run(what).strip() == f"no {what} yet: start `townsfolk serve` and talk to an NPC in the game"
    assert run(what, "--since", "1h").strip() == f"no {what} match: leave out a filter"
    assert rows(what) == []


def test_an_empty_journal_has_totals_and_no_turn_to_show(empty: Path) -> None:
    assert "0  turns" in run("stats")
    with pytest.raises(JournalError, match="no turns yet"):
        run("show")


def test_turns_are_listed_with_what_became_of_them(filled: Path) -> None:
    newest, _, oldest = run("turns").splitlines()[1:]
    assert "Bob" in newest
    assert "(busy) One moment." in newest
    assert all(part in oldest for part in ("00000001", "Ada", "line 1", "reply 1", "4", "46 ms"))
    assert "follow: failed" in run("turns", "--flagged")


def test_what_people_wrote_is_shown_and_not_obeyed(filled: Path) -> None:
    for shown in (run("turns"), run("show", make.ulid(2))):
        assert "·[31m[bold]red[/bold] ·evil" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_filters(filled: Path) -> None:
    assert lines("--npc", "bob") == ["line 3"]
    assert lines("--rated") == ["line 1"]
    assert lines("--limit", "1") == ["line 3"]
    assert len(lines("--since", "2026-11-20T18:00:02+00:00")) == 2
    assert lines("--until", "2026-11-20T18:00:02+00:00") == ["line 1"]


def test_a_player_is_found_by_name_on_every_server_and_by_pseudonym(filled: Path) -> None:
    assert len(lines("--player", "alice")) == 2
    assert lines("--player", "bert") == ["line 3"]
    bert = str(rows("turns", "--npc", "bob")[0]["player"])
    assert lines("--player", bert) == ["line 3"]
    shown = run("turns", "--npc", "bob").split()
    assert [word for word in shown if bert.startswith(word) and lines("--player", word) == ["line 3"]]
    assert lines("--player", bert[:4]) == [], "four digits might be a name"
    assert lines("--player", "nobody") == []
    assert len(rows("events", "--player", "bert")) == 1


def test_looking_for_a_player_makes_no_key(empty: Path) -> None:
    run("turns", "--player", "alice")
    assert not (empty / "pseudonym.key").exists()


def test_show_tells_the_whole_turn(filled: Path) -> None:
    shown = run("show", "0000000001")
    expected = (
        "You are Ada.",
        "alice: line 1",
        "reply [[1]] 1",
        "reply 1",
        "quoted: [1] torch",
        "rated 4 of 5",
        "rated 2 of 5",
        "changed later",
        "120 prompt tokens (100 cached)",
        "version 0",
        "seed 7",
    )
    assert [part for part in expected if part not in shown] == []
    assert "no path" in run("show", make.ulid(2))
    assert "said (canned: busy)" in run("show"), "without an id, the last turn"


def test_show_needs_one_turn(filled: Path) -> None:
    with pytest.raises(JournalError, match="no turn 99"):
        run("show", "99")
    asyncio.run(_add_turn(filled, 10))
    asyncio.run(_add_turn(filled, 20))
    with pytest.raises(JournalError, match="several turns end in 0"):
        run("show", "0")


async def _add_turn(home: Path, number: int) -> None:
    journal = Journal.open(home / "journal.duckdb")
    await journal.add(make.turn(number))
    await journal.close()


def test_ratings_events_actions_and_totals(filled: Path) -> None:
    rated = run("ratings").splitlines()
    assert "4 " in rated[1]
    assert "2 (changed)" in rated[2]
    assert "default:stone" in run("events")
    assert all(part in run("actions") for part in ("follow target=alice", "failed", "no path"))
    stats = run("stats")
    assert all(part in stats for part in ("3  turns", "3  players", "mean 4.00 of 5", "1 not done"))


def test_export_writes_the_selection(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    assert f"wrote turns to {target}" in run("export", str(target), "--npc", "Ada")
    assert len(target.read_text().splitlines()) == 2
    run("export", str(tmp_path / "plain"), "--format", "csv", "--table", "ratings")
    assert len((tmp_path / "plain").read_text().splitlines()) == 3
    with pytest.raises(JournalError, match="give --format"):
        run("export", str(tmp_path / "plain"))
    with pytest.raises(JournalError, match="events cannot be filtered by NPC"):
        run("export", str(tmp_path / "e.csv"), "--table", "events", "--npc", "Ada")


async def test_while_the_server_runs_it_asks_the_server(filled: Path, tmp_path: Path) -> None:
    """In this process the file is not locked, but the very same commands run in others, which find it so."""
    journal = Journal.open(filled / "journal.duckdb")
    async with serve_queries(journal):
        command = ["-c", "from agent_runtime.commands.journal import app; app()"]
        listed = await _other_process(*command, "turns", "--player", "alice", "--json")
        await _other_process(*command, "export", str(tmp_path / "out.parquet"))
    await journal.close()
    assert len(listed.splitlines()) == 2
    assert (tmp_path / "out.parquet").stat().st_size > 1000


async def _other_process(*arguments: str) -> str:
    root = str(Path(journal.__file__).parents[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=-1, env=os.environ | {"PYTHONPATH": root}
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
