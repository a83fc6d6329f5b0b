"""Copies what may be trained on: the rated turns of consenting players go out as Parquet files, with a
manifest of their hashes. A snapshot is never changed or overwritten, only deleted as a whole.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import msgspec

from agent_runtime import files
from agent_runtime.errors import SnapshotError
from agent_runtime.journal import schema
from agent_runtime.journal.database import Database, explained
from agent_runtime.journal.export import copy_to
from agent_runtime.journal.rows import DemonstrationRow, RatingRow, Row, TurnRow
from agent_runtime.journal.sealed import (
    FORMAT,
    MANIFEST,
    LeftOut,
    Manifest,
    PlayerSpan,
    Scope,
    TableFile,
    read_manifest,
)
from agent_runtime.journal.views import Erasure, erased_since

WRITTEN = ".snapshot-"
SEALING = ".seal-"
"""So begin the names of folders that are not sealed yet."""
View = TypeVar("View")


def _iso(column: str, name: str) -> str:
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ') as {name}"


def _columns(row: type[Row], table: str, moment: str) -> str:
    """A row's columns with its time as text, which means the same to every reader of Parquet."""
    names = [f"{table}.{name}" for name in row.__struct_fields__ if name != moment]
    return ", ".join([*names, _iso(f"{table}.{moment}", moment)])


# Temporary tables of the reader's own connection: who is in, and which turns.
_CONSENTING = """
    create temp table consenting as
    select distinct turns.player from turns left join latest_consents using (player)
    where coalesce(choice, $default) = 'allow'"""
_SPOKEN = """
    create temp table spoken as
    select id, player, raw = '' and player in (select player from erasures) as is_erased,
        player in (select player from consenting) as consents,
        id in (select turn from ratings union all select turn from demonstrations) as is_rated
    from turns
    where source = 'model' and ($since is null or said_at >= $since::timestamptz)
        and ($until is null or said_at < $until::timestamptz)"""
_CHOSEN = """
    create temp table chosen as
    select id, player from spoken where consents and is_rated and not is_erased"""

_OF_CHOSEN = "turn in (select id from chosen) and player in (select player from consenting)"
_TABLES = {
    "turns": f"""select {_columns(TurnRow, "turns", "said_at")} from turns
        where id in (select id from chosen)""",
    "ratings": f"""select {_columns(RatingRow, "ratings", "rated_at")},
            latest_ratings.id is not null as latest
        from ratings left join latest_ratings on latest_ratings.id = ratings.id
        where ratings.{_OF_CHOSEN.replace(" and player", " and ratings.player")} order by ratings.number""",
    "demonstrations": f"""select {_columns(DemonstrationRow, "latest_demonstrations", "shown_at")}
        from latest_demonstrations where {_OF_CHOSEN} and text <> '' order by number""",
    "actions": """select id, turn, name, arguments, verdict, reason, result, result_reason
        from action_fates where turn in (select id from chosen)""",
}
_PLAYERS = f"""
    select player, count(*) as turns, {_iso("min(said_at)", "first_at")} from turns
    where player in (select player from chosen) group by player order by player"""
_LEFT_OUT = """
    select count(distinct player) filter (not consents and not is_erased) as players_without_consent,
        count(*) filter (not consents and not is_erased) as turns_without_consent,
        (select count(*) from erasures) as players_erased,
        count(*) filter (is_erased) as turns_erased,
        count(*) filter (consents and not is_erased and not is_rated) as turns_not_rated
    from spoken"""
_SPAN = f"""
    select {_iso("min(said_at)", "first_at")}, {_iso("max(said_at)", "last_at")} from turns
    where id in (select id from chosen)"""


_ERASED = f"select player, {_iso('erased_at', 'erased_at')}, number from erasures order by player"
_ERASURES = "select count(*) as erasures from consents where choice = 'erase'"


class _Player(PlayerSpan, frozen=True):
    player: str


class _Span(msgspec.Struct, frozen=True):
    first_at: datetime | None
    last_at: datetime | None


class _Erasures(msgspec.Struct, frozen=True):
    erasures: int


def write_snapshot(database: Database, scope: Scope) -> Path:
    """Write a snapshot below the journal's own export folder; returns the folder, the caller's to `seal` or
    delete. It shows one moment of the journal, which goes on being written.

    Raises `JournalError`, and `SnapshotError` when a player of it was erased meanwhile.
    """
    database.exports.mkdir(exist_ok=True)
    folder = database.exports / f"{WRITTEN}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        with database.cursor() as cursor:
            cursor.execute("begin")
            manifest = _copy(cursor, folder, scope)
            cursor.execute("rollback")
        (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        # Only now: an erasure that comes later finds the manifest.
        with database.cursor() as cursor:
            check_nobody_erased(manifest, {row.player: row for row in _rows(cursor, _ERASED, Erasure)})
    except BaseException:
        files.remove_folder(folder)
        raise
    return folder


def seal(written: Path, target: Path | None = None) -> Path:
    """Move a written snapshot to `target` (default: where it is, under its own name), for good.

    Raises `SnapshotError`, also when something is there already, or when an erasure took what was written.
    """
    if not (written / MANIFEST).exists():
        raise SnapshotError(
            f"{written} was deleted before it could be sealed, with a player who was erased; make it again"
        )
    target = target or written.parent / read_manifest(written).name
    beside = target.with_name(f"{SEALING}{secrets.token_hex(8)}")
    try:
        if target.exists():
            raise SnapshotError(
                f"{target} is there already, and a snapshot is never overwritten; choose another folder"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(written, beside)  # copies where it must: the target may be on another file system
        for path in beside.iterdir():
            path.chmod(0o400)
            with path.open("rb") as file:
                os.fsync(file.fileno())
        os.rename(beside, target)
    except OSError as error:
        raise SnapshotError(f"{target}: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(written, ignore_errors=True)
        shutil.rmtree(beside, ignore_errors=True)
    return target


def check_nobody_erased(manifest: Manifest, erased: Mapping[str, Erasure]) -> None:
    """Raises `SnapshotError` when a player of a snapshot was erased since; `erased` are the journal's
    erasures."""
    if erased_since(manifest.players, manifest.created_at, manifest.erasures, erased):
        raise SnapshotError("a player of the snapshot was erased while it was made; make it again")


def snapshots_in(folder: Path) -> list[Path]:
    """The sealed snapshots of a folder, oldest first."""
    found = (path.parent for path in folder.glob(f"*/{MANIFEST}"))
    return sorted(path for path in found if not path.name.startswith("."))


def remove_snapshots_of(folder: Path, players: Collection[str]) -> list[Path]:
    """Delete the snapshots that hold any of these players (pseudonyms), sealed or not yet, and what is left
    of deleted ones; returns them.

    Raises `SnapshotError` once that is done, for one whose manifest cannot be read (nobody knows whom it
    holds) or that cannot be deleted.
    """
    removed, problems = [], list[str]()
    for path in _snapshots_and_remains(folder):
        try:
            if (path / MANIFEST).exists() and read_manifest(path).players.keys().isdisjoint(players):
                continue
            files.remove_folder(path)
        except SnapshotError as error:
            problems.append(f"{error}. Nobody can tell whom this one holds: delete it, then erase again")
        except OSError as error:
            problems.append(f"{path}: {error.strerror}; delete it, then erase again")
        else:
            removed.append(path)
    with explained(folder):
        files.remove_gone(folder)
    if problems:
        raise SnapshotError("; ".join(problems))
    return removed


def _snapshots_and_remains(folder: Path) -> list[Path]:
    """The folders with a manifest, and those that lost it: deleting was not ended there. What is being
    written has none yet, and its writer looks for erasures at the end."""
    found = {path.parent for path in folder.glob(f"*/{MANIFEST}")}
    found |= {path.parent for path in folder.glob("*/*.parquet") if not path.parent.name.startswith(".")}
    return sorted(path for path in found if not path.name.startswith(files.GONE))


def _copy(cursor: duckdb.DuckDBPyConnection, folder: Path, scope: Scope) -> Manifest:
    now = datetime.now(UTC)
    cursor.execute(_CONSENTING, {"default": "allow" if scope.consent == "opt-out" else "withdraw"})
    span = {"since": scope.since, "until": scope.until}
    cursor.execute(_SPOKEN, {name: moment and moment.isoformat() for name, moment in span.items()})
    cursor.execute(_CHOSEN)
    tables = {}
    for name, sql in _TABLES.items():
        path = folder / f"{name}.parquet"
        rows = copy_to(cursor, sql, [], path, "parquet")
        tables[name] = TableFile(path.name, rows, files.digest(path))
    span_of = _rows(cursor, _SPAN, _Span)[0]
    manifest = Manifest(
        format=FORMAT,
        name="",
        created_at=now,
        schema=schema.applied(cursor)[-1],
        scope=scope,
        tables=tables,
        players={row.player: PlayerSpan(row.turns, row.first_at) for row in _rows(cursor, _PLAYERS, _Player)},
        left_out=_rows(cursor, _LEFT_OUT, LeftOut)[0],
        erased={row.player: row.erased_at for row in _rows(cursor, _ERASED, Erasure)},
        first_at=span_of.first_at,
        last_at=span_of.last_at,
        erasures=_rows(cursor, _ERASURES, _Erasures)[0].erasures,
    )
    name = f"{now:%Y%m%dT%H%M%SZ}-{manifest.digest[:12]}"
    return msgspec.structs.replace(manifest, name=name)


def _rows(cursor: duckdb.DuckDBPyConnection, sql: str, view: type[View]) -> list[View]:
    found = cursor.execute(f"select to_json(row) from ({sql}) as row").fetchall()
    return [msgspec.json.decode(text, type=view) for (text,) in found]
