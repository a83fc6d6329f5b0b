from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent_runtime.registry.aliases import settled
from agent_runtime.registry.audit import Alias, Entry, State

AT = datetime(2026, 11, 20, tzinfo=UTC)


def after(*champions: int) -> State:
    """These were promoted one after the other."""
    state = State()
    for number in champions:
        moves: dict[Alias, tuple[int | None, int | None]] = {
            "champion": (state.champion, number),
            "last_good": (state.last_good, state.champion),
        }
        state = state.after(Entry(at=AT, who="ann", what="promote", version=number, moves=moves))
    return state


@pytest.mark.parametrize(
    ("named", "banned", "refused", "expected"),
    [
        ((3, 4, 2), set(), set(), (3, 4, 2)),
        ((3, 2, 2), {2}, set(), (3, None, 1)),
        ((3, None, 2), set(), {2}, (3, None, 1)),
        ((3, None, 2), {1}, {2}, (3, None, 0)),
        ((2, None, 2), {3}, set(), (2, None, 1)),
        ((3, None, 3), set(), set(), (3, None, 2)),
        ((3, 2, 1), {3}, set(), (2, None, 1)),
        ((3, None, 2), {1, 2, 3}, set(), (0, None, 0)),
        ((0, 0, 0), set(), set(), (0, None, 2)),
    ],
    ids=[
        "as decided",
        "a banned challenger that is the way back, too",
        "a way back that cannot serve",
        "nor another one that may not",
        "gone back",
        "a champion behind itself",
        "a banned champion, and the next one is on trial",
        "nothing is left",
        "gone to the bare base",
    ],
)
def test_each_alias_names_what_may_serve(
    named: tuple[int, int | None, int],
    banned: set[int],
    refused: set[int],
    expected: tuple[int, int | None, int],
) -> None:
    before = after(1, 2, 3)
    names: tuple[Alias, Alias, Alias] = ("champion", "challenger", "last_good")
    decided = replace(
        before,
        aliases=dict(zip(names, named, strict=True)),
        banned=dict.fromkeys(banned, "rude"),
        refused=frozenset(refused),
    )
    assert tuple(settled(before, decided, lambda _: True).values()) == expected


def test_what_is_gone_or_broken_is_no_way_back() -> None:
    before = after(1, 2, 3)
    decided = replace(before, banned={2: "rude"})
    assert settled(before, decided, lambda number: number != 1)["last_good"] == 0


def test_a_bare_base_that_stays_gets_nothing_behind_it() -> None:
    before = after(1, 0)
    before = replace(before, aliases={"champion": 0, "challenger": 1, "last_good": 0})
    decided = replace(before, aliases={"champion": 0, "challenger": None, "last_good": 0})
    assert settled(before, decided, lambda _: True)["last_good"] == 0
