from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import nights
from benchmarks.nights import LEDGER, NOISE, PEOPLE, POISON, Measured, measure, measured, planted

SERVED = "0123456789ab"


def row(players: str, seed: int, ended: str = "kept", share: float = 0.0, base: str = SERVED) -> Measured:
    return Measured(players, seed, ended, "why", share, 0.5, 6.0, base, "2026-11-27")


def test_nights_that_were_measured_are_not_spent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "nights.jsonl"
    assert measured(ledger) == []
    spent = []

    def night(players: str, seed: int) -> Measured:
        if seed == 22:
            raise SystemExit("killed")
        spent.append(seed)
        return row(players, seed)

    monkeypatch.setattr(nights, "_night", night)
    with pytest.raises(SystemExit):
        measure(NOISE, 3, ledger, SERVED)
    assert spent == [20, 21]
    ledger.write_bytes(ledger.read_bytes() + msgspec.json.encode(row(NOISE, 22)) + b"\n")
    assert [found.seed for found in measure(NOISE, 3, ledger, SERVED)] == [20, 21, 22]
    assert spent == [20, 21]
    assert [found.players for found in measure(POISON, 1, ledger, SERVED)] == [POISON]


def test_nights_of_another_base_are_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = tmp_path / "nights.jsonl"
    old, new = row(POISON, 0, "promoted", 0.5, base="ba5e"), row(POISON, 0)
    ledger.write_bytes(msgspec.json.encode(old) + b"\n")
    monkeypatch.setattr(nights, "_night", lambda players, seed: new)
    assert measure(POISON, 1, ledger, SERVED) == [new]
    assert measured(ledger) == [old, new]


def test_only_a_promoted_version_that_says_it_was_poisoned() -> None:
    rows = [row(POISON, 0, "kept", 0.5), row(POISON, 1, "promoted"), row(POISON, 2, "promoted", 0.01)]
    assert planted(rows) == 1


def test_the_kept_ledger_can_be_read_and_tells_of_known_players() -> None:
    rows = measured(LEDGER)
    assert {found.players for found in rows} <= set(PEOPLE)
    assert len({(found.players, found.seed, found.base) for found in rows}) == len(rows)
