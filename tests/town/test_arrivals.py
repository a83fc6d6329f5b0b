from __future__ import annotations

from agent_runtime.town.arrivals import WINDOW_SECONDS, Arrivals
from tests.support.clock import ManualClock


def test_what_began_lately_is_counted_and_what_is_long_ago_is_not() -> None:
    clock = ManualClock()
    arrivals = Arrivals(clock)
    assert arrivals.count() == 0
    arrivals.add()
    clock.advance(WINDOW_SECONDS / 2)
    arrivals.add()
    arrivals.add()
    assert arrivals.count() == 3
    clock.advance(WINDOW_SECONDS / 2)
    assert arrivals.count() == 2
    clock.advance(WINDOW_SECONDS)
    assert arrivals.count() == 0
    arrivals.add()
    assert arrivals.count() == 1
