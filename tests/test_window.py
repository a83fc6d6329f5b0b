from __future__ import annotations

from agent_runtime.window import Window


def test_what_happened_lately_is_counted_and_what_is_long_ago_is_not() -> None:
    window = Window(10.0)
    assert window.count(0.0) == 0
    window.add(0.0)
    window.add(5.0)
    window.add(5.0)
    assert window.count(9.9) == 3
    assert window.count(10.0) == 2
    assert window.count(20.0) == 0
    window.add(20.0)
    assert window.count(20.0) == 1


def test_once_a_second_is_never_more_than_the_seconds() -> None:
    window = Window(10.0)
    for now in range(1000):
        window.add(float(now))
        assert window.count(float(now)) <= 10
