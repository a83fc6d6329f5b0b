from __future__ import annotations

import re

from agent_runtime.bridge.ulid import UlidMaker


class Wall:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def test_time_and_randomness_stand_where_the_specification_says() -> None:
    # 1469918176.385 s is 01ARYZ6S41, the example of the ULID specification.
    make = UlidMaker(Wall(1469918176.385), lambda n: b"\xff" * n).make
    assert make() == "01ARYZ6S41ZZZZZZZZZZZZZZZZ"
    assert UlidMaker(Wall(0), lambda n: bytes(n)).make() == "0" * 26


def test_ids_rise_within_a_millisecond_and_when_the_clock_goes_back() -> None:
    wall = Wall(1_800_000_000.0)
    maker = UlidMaker(wall)
    ids = [maker.make() for _ in range(1000)]
    wall.seconds -= 3600
    ids += [maker.make() for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_an_exhausted_millisecond_runs_over_into_the_next() -> None:
    maker = UlidMaker(Wall(1.0), lambda n: b"\xff" * n)
    first, second = maker.make(), maker.make()
    assert first < second
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", second)
