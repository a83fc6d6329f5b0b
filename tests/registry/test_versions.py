from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent_runtime.errors import RegistryError, VersionRefused
from agent_runtime.registry.manifest import WORDS
from agent_runtime.registry.store import Registry
from agent_runtime.registry.versions import STALE_SECONDS, Versions
from tests.support.versions import added, staged


def test_folders_with_other_names_are_no_versions(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    for name in ("notes", "7", "x-1", "-3-abc", "0-abc", "99999999999-abc"):
        (tmp_path / "registry" / "versions" / name).mkdir()
    assert [version.number for version in registry.versions()] == [0, 1]
    assert registry.damaged() == []


def test_the_numbers_of_unreadable_versions_are_taken_all_the_same(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    (tmp_path / "registry" / "versions" / "12-torn").mkdir()
    assert added(registry).number == 13


def test_copies_that_a_crash_left_are_swept_away_once_they_are_old(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    fresh, old = (tmp_path / "registry" / "staging" / name for name in ("fresh", "old"))
    for folder in (fresh, old):
        folder.mkdir()
        (folder / "adapter.gguf").write_bytes(b"half")
    long_ago = time.time() - STALE_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    added(registry)
    assert fresh.exists()
    assert not old.exists()


def test_a_version_is_found_by_number_and_id_and_nothing_else(tmp_path: Path) -> None:
    version = added(Registry(tmp_path / "registry"))
    versions = Versions(tmp_path / "registry")
    assert versions.get(1).id == versions.get(version.id).id == versions.get("1").id
    for which in (2, "1-", "../1", ""):
        with pytest.raises(RegistryError, match="there is no version"):
            versions.get(which)


def test_a_card_whose_words_are_taken_off_while_it_is_read_is_no_damage(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    draft = staged(tmp_path / "made")
    (tmp_path / "made" / "card.md").write_text(f"# What\n\n{WORDS}\n\n| my secret |\n")
    registry.add(tmp_path / "made", draft)
    version = registry.get(1)
    registry.mark(1, who="server", why="a player of its data was erased")
    assert version.manifest != registry.get(1).manifest
    registry.verify(version)
    assert version.card
    version.card.chmod(0o600)
    version.card.write_text("# Somebody else's")
    with pytest.raises(VersionRefused, match=r"card\.md: its contents changed"):
        registry.verify(version)
