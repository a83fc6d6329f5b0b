"""What can be asked: a filter from outside is checked, and an action's fate is one word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent_runtime.journal.views import MAX_ROWS, ActionView, Filter

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
