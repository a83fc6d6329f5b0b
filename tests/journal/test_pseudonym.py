"""Pseudonyms: the same player stays the same, and nobody is recognised without the key."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.pseudonym import Pseudonyms


def test_known_answer() -> None:
    """HMAC-SHA256, as `printf 'server\\0alice' | openssl dgst -sha256 -hmac key` computes it."""
    assert Pseudonyms(b"key").of("server", "alice") == "2add4037ad2caa9d"


def test_players_servers_and_keys_are_told_apart() -> None:
    some, other = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    found = {
        some.of("s1", "alice"),
        some.of("s1", "Alice"),
        some.of("s2", "alice"),
        some.of("s1a", "lice"),
        other.of("s1", "alice"),
    }
    assert len(found) == 5
    assert all(len(pseudonym) == 16 and "alice" not in pseudonym for pseudonym in found)


def test_a_home_keeps_its_key_for_its_owner_only(tmp_path: Path) -> None:
    first = Pseudonyms.of_home(tmp_path / "home").of("s", "alice")
    assert Pseudonyms.of_home(tmp_path / "home").of("s", "alice") == first
    assert Pseudonyms.of_home(tmp_path / "other").of("s", "alice") != first
    key = tmp_path / "home" / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [file.name for file in key.parent.iterdir()] == ["pseudonym.key"]


def test_two_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: Pseudonyms.of_home(tmp_path).of("s", "alice"), range(32)))
    assert len(found) == 1


def test_a_damaged_key_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "pseudonym.key").write_bytes(b"short")
    with pytest.raises(JournalError, match="Restore it from a backup"):
        Pseudonyms.of_home(tmp_path)
    assert (tmp_path / "pseudonym.key").read_bytes() == b"short"
