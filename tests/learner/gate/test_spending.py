"""What each night may spend of the error, and that it is written down once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.errors import RegistryError
from learner.gate.spending import LOOKS, Look, number, read_looks, record, share


def test_all_looks_together_spend_no_more_than_there_is() -> None:
    assert sum(share(look) for look in range(1, 10_000)) < 1
    assert sum(share(look) for look in range(1, 10_000)) > 0.999
    assert share(1) > 0.6


def test_a_new_champion_begins_anew_and_the_same_challenger_is_the_same_look(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    assert number(read_looks(registry), "", "a") == 1
    for challenger in ("a", "b", "b"):
        record(registry, Look("", challenger, 0.01, 0.3))
    looks = read_looks(registry)
    assert [look.challenger for look in looks] == ["a", "b"]
    assert number(looks, "", "c") == 3
    assert number(looks, "", "b") == 2
    assert number(looks, "") == 3, "of whatever comes next"
    assert number(looks, "b", "c") == 1


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text("{not json\n")
    with pytest.raises(RegistryError, match=LOOKS):
        read_looks(tmp_path)
    with pytest.raises(RegistryError):
        record(tmp_path, Look("", "a", 0.01, 0.3))
