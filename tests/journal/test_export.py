"""Exports: the file holds what was chosen, and is there whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path

import duckdb
import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.export import Format, format_of, publish, write_export
from agent_runtime.journal.views import Filter
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Message
from tests.support import rows as make

LINE = 'said "hi", and\t;=1+1 ☃'


@pytest.fixture
async def filled(journal: Journal) -> Journal:
    await journal.add(make.turn(1, line=LINE), make.turn(2, npc_name="Bob"), make.turn(3))
    await journal.add(make.action(10, turn=1), make.rating(20, turn=1, value=2), make.event(1))
    await journal.add(make.rating(21, turn=1, value=4))
    return journal


async def test_parquet_keeps_types_and_order(filled: Journal, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    publish(write_export(filled.database, "turns", Filter(npc="Ada", limit=1), "parquet"), target)
    relation = duckdb.read_parquet(str(target))
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert (types["said_at"], types["quoted"]) == ("TIMESTAMP WITH TIME ZONE", "INTEGER[]")
    found = relation.select("id, line, rating").fetchall()
    assert found == [(make.ulid(1), LINE, 4.0), (make.ulid(3), "line 3", None)]


async def test_json_lines_are_objects_with_standard_times(filled: Journal, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    publish(write_export(filled.database, "turns", Filter(turn=make.ulid(1)), "jsonl"), target)
    (row,) = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert (row["line"], row["prompt"][0]["role"], row["rating"]) == (LINE, "system", 4.0)
    assert row["said_at"] == "2026-11-20T18:00:01.000000Z"


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
async def test_long_talks_are_exported_in_the_memory_there_is(journal: Journal, format: Format) -> None:
    long = (Message("user", "word " * 1400),)
    for start in range(0, 3000, 500):
        await journal.add(*(make.turn(number, prompt=long) for number in range(start, start + 500)))
    written = write_export(journal.database, "turns", Filter(), format)
    assert written.stat().st_size > 10_000


async def test_csv_has_a_header_and_quotes(filled: Journal, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    publish(write_export(filled.database, "ratings", Filter(), "csv"), target)
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["value"], row["latest"]) for row in rows] == [("2", "false"), ("4", "true")]
    assert rows[0]["rated_at"] == "2026-11-20T18:00:20.000000Z"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '="a,b"'])
async def test_no_cell_of_a_csv_is_a_formula(journal: Journal, tmp_path: Path, cell: str) -> None:
    await journal.add(make.turn(1, line=cell, npc_name="=Ada", reply="1 = 1", first_token_ms=-1.5))
    target = tmp_path / "out.csv"
    publish(write_export(journal.database, "turns", Filter(npc="=Ada"), "csv"), target)
    with target.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["line"], row["npc_name"]) == (f"'{cell}", "'=Ada")
    assert (row["reply"], row["first_token_ms"]) == ("1 = 1", "-1.5"), "what is no formula stays as it is"
    publish(write_export(journal.database, "turns", Filter(), "jsonl"), target)
    assert json.loads(target.read_text())["line"] == cell, "only spreadsheets need this"


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
async def test_every_table_in_every_format(filled: Journal, format: Format) -> None:
    assert write_export(filled.database, "events", Filter(), format).stat().st_size > 0
    assert write_export(filled.database, "actions", Filter(), format).stat().st_size > 0


async def test_an_export_is_its_owners_and_leaves_nothing_lying_about(
    filled: Journal, tmp_path: Path
) -> None:
    target = tmp_path / "out.csv"
    target.write_text("older")
    publish(write_export(filled.database, "turns", Filter(), "csv"), target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(filled.database.exports.iterdir()) == []
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".out")]
    assert "older" not in target.read_text()


async def test_where_it_cannot_go_it_says_so_and_cleans_up(filled: Journal, tmp_path: Path) -> None:
    written = write_export(filled.database, "turns", Filter(), "csv")
    with pytest.raises(JournalError, match="choose another file"):
        publish(written, tmp_path / "missing" / "out.csv")
    assert not written.exists()


async def test_a_wrong_filter_leaves_no_file(filled: Journal) -> None:
    with pytest.raises(JournalError, match="cannot be filtered"):
        write_export(filled.database, "events", Filter(npc="Ada"), "csv")
    assert not filled.database.exports.exists() or not list(filled.database.exports.iterdir())


async def test_a_home_with_a_quote_in_its_name(tmp_path: Path) -> None:
    home = tmp_path / "it's home"
    journal = Journal.open(home / "journal.duckdb")
    await journal.add(make.turn(1))
    assert write_export(journal.database, "turns", Filter(), "jsonl").stat().st_size > 0
    await journal.close()


@pytest.mark.parametrize(
    ("name", "format"), [("a.parquet", "parquet"), ("a.b.JSONL", "jsonl"), ("a.csv", "csv")]
)
def test_the_name_tells_the_format(name: str, format: str) -> None:
    assert format_of(Path(name)) == format


def test_a_name_that_tells_nothing_is_refused() -> None:
    with pytest.raises(JournalError, match="give --format parquet, jsonl, csv"):
        format_of(Path("export.xlsx"))
