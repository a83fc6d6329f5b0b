"""KV cells outside the context: found by weights and name, within a budget."""

from __future__ import annotations

from agent_runtime.engine.shelf import Parked, Shelf


def _parked(size: int) -> Parked:
    return Parked((1, 2), 0, bytearray(size))


def test_cells_of_other_weights_are_never_found() -> None:
    shelf = Shelf(100)
    parked = _parked(10)
    shelf.put(("a", "alice"), parked)
    assert shelf.get(("a", "alice")) is parked
    assert shelf.get(("b", "alice")) is None


def test_the_least_recently_used_makes_room() -> None:
    shelf = Shelf(100)
    for name in ("alice", "bob"):
        shelf.put(("a", name), _parked(40))
    shelf.get(("a", "alice"))
    shelf.put(("a", "carol"), _parked(40))
    assert shelf.get(("a", "bob")) is None
    assert shelf.get(("a", "alice"))
    assert shelf.size == 80


def test_a_later_turn_takes_the_place_of_an_earlier_one() -> None:
    shelf = Shelf(100)
    shelf.put(("a", "alice"), _parked(40))
    shelf.put(("a", "alice"), _parked(60))
    assert shelf.size == 60


def test_what_is_larger_than_the_budget_is_not_kept() -> None:
    shelf = Shelf(100)
    shelf.put(("a", "alice"), _parked(40))
    shelf.put(("a", "alice"), _parked(101))
    assert shelf.get(("a", "alice")) is None
    assert shelf.size == 0


def test_a_version_that_ended_is_forgotten() -> None:
    shelf = Shelf(100)
    shelf.put(("a", "alice"), _parked(40))
    shelf.put(("b", (1, 2)), _parked(40))
    shelf.forget("a")
    assert shelf.get(("a", "alice")) is None
    assert shelf.get(("b", (1, 2)))
    assert shelf.size == 40
