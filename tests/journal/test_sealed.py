"""A sealed snapshot is believed only while every hash is right."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import SnapshotError
from agent_runtime.journal.sealed import MANIFEST, Scope, read_manifest, read_snapshot, verify
from agent_runtime.journal.snapshot import seal, write_snapshot
from agent_runtime.journal.writer import Journal
from tests.support import rows as make


@pytest.fixture
async def folder(journal: Journal, tmp_path: Path) -> Path:
    await journal.add(make.turn(1), make.rating(2, turn=1), make.consent(3))
    sealed = seal(write_snapshot(journal.database, Scope()), tmp_path / "sealed")
    for path in sealed.iterdir():
        os.chmod(path, 0o600)
    return sealed


def flip_a_byte(folder: Path) -> None:
    path = folder / "turns.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap_two_files(folder: Path) -> None:
    shutil.copy(folder / "actions.parquet", folder / "ratings.parquet")


def remove_a_file(folder: Path) -> None:
    (folder / "ratings.parquet").unlink()


def link_a_file(folder: Path) -> None:
    shutil.move(folder / "ratings.parquet", folder / "elsewhere")
    (folder / "ratings.parquet").symlink_to(folder / "elsewhere")


def climb_out(folder: Path) -> None:
    text = (folder / MANIFEST).read_text().replace('"ratings.parquet"', '"../ratings.parquet"')
    (folder / MANIFEST).write_text(text)


def leave_out_a_table(folder: Path) -> None:
    manifest = read_manifest(folder)
    del manifest.tables["ratings"]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def break_the_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


def of_the_future(folder: Path) -> None:
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace('"format": 1', '"format": 2'))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (flip_a_byte, "not the file that was sealed"),
        (swap_two_files, "not the file that was sealed"),
        (remove_a_file, "is missing"),
        (link_a_file, "is missing"),
        (climb_out, "is missing"),
        (leave_out_a_table, "has no ratings"),
        (break_the_manifest, "damaged"),
        (of_the_future, "upgrade"),
    ],
)
def test_what_was_changed_is_refused(folder: Path, harm: Callable[[Path], None], said: str) -> None:
    assert read_snapshot(folder).turns == [make.turn(1)]
    harm(folder)
    with pytest.raises(SnapshotError, match=said):
        read_snapshot(folder)


def test_what_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="is no snapshot"):
        verify(tmp_path)
