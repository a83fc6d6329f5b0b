from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.errors import RegistryError
from agent_runtime.registry import audit
from agent_runtime.registry.audit import Entry, State

NOW = datetime(2026, 11, 20, 4, 30, tzinfo=UTC)


def entry(what: Any = "move", version: int = 1, **fields: Any) -> Entry:
    return Entry(at=NOW, who="ann", what=what, version=version, **fields)


def test_what_was_appended_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    entries = (
        entry("add", 1),
        entry("promote", 1, why="ä \n b", moves={"champion": (0, 1), "last_good": (0, 0)}),
        entry("challenge", 2, moves={"challenger": (None, 2)}, share=0.05),
    )
    for one in entries:
        audit.append(path, one)
    state = audit.read(path)
    assert state.entries == entries
    assert (state.champion, state.challenger, state.share) == (1, 2, 0.05)
    assert path.read_bytes().count(b"\n") == 3


def test_the_share_ends_with_the_trial() -> None:
    state = State().after(entry("challenge", 2, moves={"challenger": (None, 2)}, share=0.2))
    assert state.after(entry("drop", 2, moves={"challenger": (2, None)})).share == 0


def test_a_ban_and_its_flags_are_taken_back_together() -> None:
    state = State().after(entry("ban", 3, why="odd", bans=True, flags=("d3",)))
    state = state.after(entry("ban", 4, why="odd too", bans=True, flags=("d4",)))
    assert (state.banned, state.flagged) == ({3: "odd", 4: "odd too"}, {"d3": "odd", "d4": "odd too"})
    state = state.after(entry("unban", 3))
    assert (state.banned, state.flagged) == ({4: "odd too"}, {"d4": "odd too"})


def test_data_stays_flagged_for_the_reason_that_is_left() -> None:
    state = State().after(entry("ban", 3, why="rude", bans=True, flags=("d",)))
    state = state.after(entry("ban", 4, why="slow", bans=True, flags=("d",)))
    assert state.flagged == {"d": "slow"}
    assert state.after(entry("unban", 3)).flagged == {"d": "slow"}
    state = state.after(entry("unban", 4))
    assert state.flagged == {"d": "rude"}
    assert state.after(entry("unban", 3)).flagged == {}


def test_a_chance_is_the_last_one_that_a_version_got() -> None:
    state, later = State(), NOW + timedelta(seconds=1)
    for one in (
        entry("add", 1),
        entry("add", 2),
        entry("promote", 1),
        entry("ban", 1),
        entry("challenge", 3),
    ):
        state = state.after(one)
    assert state.chances == {1: NOW, 3: NOW}
    again = Entry(at=later, who="ann", what="unban", version=1)
    assert state.after(again).chances == {1: later, 3: NOW}


def test_earlier_champions_come_the_latest_first() -> None:
    state = State()
    for old, new in ((0, 1), (1, 4), (4, 2)):
        state = state.after(entry("promote", new, moves={"champion": (old, new)}))
    assert state.champions_before() == [4, 1, 0]


def test_a_refusal_holds_until_an_alias_names_the_version_again() -> None:
    state = State().after(entry("refuse", 2, moves={"last_good": (2, 1)}))
    state = state.after(entry("mark", 2))
    assert state.refused == {2}
    assert state.after(entry("promote", 2, moves={"champion": (3, 2)})).refused == set()


def test_damage_before_the_end_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in (1, 2):
        audit.append(path, entry("add", number))
    whole = path.read_bytes()
    path.write_bytes(b"x" + whole)
    with pytest.raises(RegistryError, match=r"line 1 .* Restore the file"):
        audit.read(path)


def test_a_last_line_of_a_newer_townsfolk_is_not_taken_for_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit.append(path, entry("add", 1))
    path.write_bytes(
        path.read_bytes() + b'{"at":"2026-11-20T04:30:00Z","who":"x","what":"new","version":1}\n'
    )
    with pytest.raises(RegistryError, match="upgrade"):
        audit.read(path)
