"""Adapters in memory, within a budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.engine.residents import Residents
from agent_runtime.errors import AdapterError


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number}.gguf" for number in range(3)]
    for path in made:
        path.write_bytes(bytes(40))
    return made


def test_those_used_longest_ago_make_room_and_come_back(paths: list[Path]) -> None:
    loaded: list[Path] = []
    freed: list[Path] = []

    def load(path: Path) -> Path:
        loaded.append(path)
        return path

    residents = Residents(load, freed.append, budget=100)
    first, second, third = paths
    for path in (first, second, first, third):
        assert residents.get(path) == path
    assert freed == [second]
    residents.get(second)
    assert loaded == [first, second, third, second]
    residents.clear()
    assert sorted(freed) == sorted([first, second, second, third])


def test_the_latest_stays_however_large(paths: list[Path]) -> None:
    freed: list[Path] = []
    residents = Residents(lambda path: path, freed.append, budget=1)
    assert residents.get(paths[0]) == paths[0]
    assert freed == []


def test_one_that_cannot_be_loaded_is_not_kept(paths: list[Path]) -> None:
    def refuse(path: Path) -> Path:
        raise AdapterError(str(path))

    residents = Residents(refuse, lambda handle: None)
    for _ in range(2):
        with pytest.raises(AdapterError):
            residents.get(paths[0])
    residents.drop(paths[0])


def test_a_file_that_changed_while_it_was_away_is_refused_until_it_was_dropped(paths: list[Path]) -> None:
    residents = Residents(lambda path: path.read_bytes(), lambda handle: None, budget=50)
    first, second, _ = paths
    residents.get(first)
    residents.get(second)
    first.write_bytes(bytes(41))
    with pytest.raises(AdapterError, match="changed"):
        residents.get(first)
    residents.drop(first)
    assert residents.get(first) == bytes(41)
    second.unlink()
    with pytest.raises(AdapterError, match="cannot be read"):
        residents.get(second)
