"""A sealed snapshot's folder comes in; its manifest and, once every hash is right, its typed rows go out.

It needs no journal and no runtime, and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

import duckdb
import msgspec

from agent_runtime import files
from agent_runtime.errors import SnapshotError
from agent_runtime.journal.database import explained
from agent_runtime.journal.rows import DemonstrationRow, TurnRow
from agent_runtime.journal.views import Fate, Rated

MANIFEST = "manifest.json"
FORMAT = 1
View = TypeVar("View")


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which turns: those of players who allowed it, or with `opt-out` who did not withdraw. `since` is
    included and `until` is not."""

    consent: Literal["ask", "opt-out"] = "ask"
    since: datetime | None = None
    until: datetime | None = None


class TableFile(msgspec.Struct, frozen=True):
    """One Parquet file of a snapshot."""

    file: str
    rows: int
    sha256: str


class PlayerSpan(msgspec.Struct, frozen=True):
    """A player of the snapshot: how many turns they had in all, and since when."""

    turns: int
    first_at: datetime


class LeftOut(msgspec.Struct, frozen=True):
    """Turns of the model's and their players that are not in the snapshot, counted only."""

    players_without_consent: int
    turns_without_consent: int
    players_erased: int
    turns_erased: int
    turns_not_rated: int


class Manifest(msgspec.Struct, frozen=True):
    """What a snapshot holds. `erased` tells of all players (pseudonyms) who were ever erased when it was
    last: what was made before of their talk is void. `erasures` counts all erasures until then; None in
    those of releases that did not count."""

    format: int
    name: str
    created_at: datetime
    schema: str
    scope: Scope
    tables: dict[str, TableFile]
    players: dict[str, PlayerSpan]
    left_out: LeftOut
    erased: dict[str, datetime]
    first_at: datetime | None
    last_at: datetime | None
    erasures: int | None = None

    @property
    def digest(self) -> str:
        """Names the data, whenever and wherever it was copied: sha256 over the files' names and hashes."""
        hashes = sorted(f"{name} {table.sha256}" for name, table in self.tables.items())
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


class Snapshot(msgspec.Struct, frozen=True):
    """A verified snapshot. Ratings and demonstrations stand in the order of their arrival."""

    manifest: Manifest
    turns: list[TurnRow]
    ratings: list[Rated]
    demonstrations: list[DemonstrationRow]
    actions: list[Fate]


def read_manifest(folder: Path) -> Manifest:
    """What a snapshot says of itself, not verified. Raises `SnapshotError`."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise SnapshotError(
            f"{folder} is no snapshot ({MANIFEST}: {error.strerror}); give a folder that was sealed"
        ) from error
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{folder / MANIFEST} is damaged ({error}); make a new snapshot") from error
    if manifest.format != FORMAT:
        raise SnapshotError(f"{folder} has format {manifest.format}, this Townsfolk reads {FORMAT}: upgrade")
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest, once every file has the hash that it names. Raises `SnapshotError`."""
    manifest = read_manifest(folder)
    for name, table in manifest.tables.items():
        path = folder / f"{name}.parquet"
        if table.file != path.name or path.is_symlink() or not path.is_file():
            raise SnapshotError(f"{path} is missing; make a new snapshot")
        if files.digest(path) != table.sha256:
            raise SnapshotError(f"{path} is not the file that was sealed (sha256); make a new snapshot")
    return manifest


def read_snapshot(folder: Path) -> Snapshot:
    """Verify a snapshot and read all of it. Raises `SnapshotError`."""
    manifest = verify(folder)
    missing = {"turns", "ratings", "demonstrations", "actions"} - manifest.tables.keys()
    if missing:
        raise SnapshotError(f"{folder} has no {', '.join(sorted(missing))}; make a new snapshot")
    with explained(folder), duckdb.connect(config={"threads": 1}) as connection:

        def rows(table: str, view: type[View]) -> list[View]:
            path = str(folder / f"{table}.parquet")
            found = connection.execute("select to_json(row) from read_parquet(?) as row", [path])
            return [msgspec.json.decode(text, type=view) for text in _each(found)]

        return Snapshot(
            manifest,
            rows("turns", TurnRow),
            rows("ratings", Rated),
            rows("demonstrations", DemonstrationRow),
            rows("actions", Fate),
        )


def _each(found: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while batch := found.fetchmany(500):
        yield from (text for (text,) in batch)
