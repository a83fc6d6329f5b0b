"""What can be asked: a filter from outside is checked, and an action's fate is one word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agent_runtime.journal.views import MAX_ROWS, ActionView, Erasure, Filter, erased_since

ACTION = ActionView(id="a", turn="t", name="follow", verdict="allowed")


@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        ({}, "pending"),
        ({"result": "done"}, "done"),
        ({"result": "stale"}, "stale"),
        ({"verdict": "refused"}, "refused"),
    ],
)
def test_fate(fields: dict[str, Any], fate: str) -> None:
    assert msgspec.structs.replace(ACTION, **fields).fate == fate


@pytest.mark.parametrize(
    "filter",
    [
        {"limit": 0},
        {"limit": MAX_ROWS + 1},
        {"npc": "x" * 101},
        {"players": ["x"] * 1001},
        {"since": "yesterday"},
        {"order": "random()"},
    ],
)
def test_what_no_filter_may_say(filter: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(filter), type=Filter)


def test_a_filter_survives_the_wire() -> None:
    chosen = Filter(npc="Ada", players=("a", "b"), rated=True, limit=7)
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=Filter) == chosen


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("clock", [timedelta(hours=-1), timedelta(hours=1)])
def test_what_an_erasure_comes_after_is_told_by_its_number_whatever_the_clock_says(clock: timedelta) -> None:
    erased = {"ann": Erasure("ann", NOON + clock, 3)}
    assert erased_since(("ann", "bert"), NOON, 2, erased) == {"ann"}
    assert erased_since(("ann", "bert"), NOON, 3, erased) == set(), "they came back and were heard since"


def test_where_erasures_were_not_counted_the_clock_tells() -> None:
    erased = {"ann": Erasure("ann", NOON, 3)}
    assert erased_since(("ann", "bert"), NOON - timedelta(hours=1), None, erased) == {"ann"}
    assert erased_since(("ann", "bert"), NOON + timedelta(hours=1), None, erased) == set()
