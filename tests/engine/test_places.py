"""Who is turned away first when an engine is full."""

from __future__ import annotations

import pytest

from agent_runtime.engine.interface import Priority
from agent_runtime.engine.places import places


@pytest.mark.parametrize(("most", "chatter", "background"), [(80, 60, 40), (3, 3, 2), (1, 1, 1)])
def test_players_have_the_most_places_and_everybody_one(most: int, chatter: int, background: int) -> None:
    found = places(most)
    assert found[Priority.PLAYER] == most
    assert (found[Priority.CHATTER], found[Priority.BACKGROUND]) == (chatter, background)
