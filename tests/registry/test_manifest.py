from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import VersionRefused
from agent_runtime.registry.manifest import Kept, Manifest, decode, identity, regular_files, safe_path

ADAPTER = "a" * 64
FOLDER = identity(3, ADAPTER)
MANIFEST = Manifest(
    base="b" * 64,
    adapter=ADAPTER,
    dataset="d" * 64,
    number=3,
    id=FOLDER,
    created=datetime(2026, 11, 20, tzinfo=UTC),
    files={name: Kept(ADAPTER, 7) for name in ("adapter.gguf", "report.json", "card.md")},
)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(MANIFEST, **fields))


def test_a_manifest_survives_the_way_to_disk_and_back() -> None:
    assert decode(changed(), FOLDER) == MANIFEST
    assert MANIFEST.adapter_bytes == 7
    assert FOLDER == "3-aaaaaaaaaaaa"


@pytest.mark.parametrize("name", ["a", "a/b.png", "plots/loss-1.png", "peft/adapter_config.json"])
def test_plain_relative_paths_are_safe(name: str) -> None:
    assert safe_path(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/../b", "/a", "a//b", ".hidden", "a/.b", "a\\b", "a\nb", "a/b/c/d/e", "ä"],
)
def test_all_others_are_not(name: str) -> None:
    assert not safe_path(name)
    files = {**MANIFEST.files, name: Kept(ADAPTER, 1)}
    with pytest.raises(VersionRefused):
        decode(changed(files=files), FOLDER)


@pytest.mark.parametrize(
    "fields",
    [
        {"adapter": "c" * 64},
        {"number": 4},
        {"id": "3-bbbbbbbbbbbb"},
        {"files": {"adapter.gguf": Kept(ADAPTER, 7)}},
        {"files": {**MANIFEST.files, "adapter.gguf": Kept("c" * 64, 7)}},
        {"base": "short"},
        {"scale": float("inf")},
        {"parent": -1},
        {"format": 2},
    ],
)
def test_what_does_not_fit_together_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(VersionRefused, match=FOLDER):
        decode(changed(**fields), FOLDER)


def test_a_manifest_of_another_folder_is_refused() -> None:
    with pytest.raises(VersionRefused, match="is of version"):
        decode(changed(), "4-aaaaaaaaaaaa")


def test_only_plain_files_are_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("")
    assert regular_files(tmp_path) == ["a/b.txt"]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VersionRefused, match="pipe"):
        regular_files(tmp_path)
