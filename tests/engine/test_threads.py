"""How many threads decode, over a model that takes as long as a test says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent_runtime.engine.backend import Row
from agent_runtime.engine.threads import Pace, candidates, choose
from tests.support.backend import PlainBackend


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.hiccup = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(PlainBackend):
    """A batch takes as many seconds as its number of threads says."""

    def __init__(self, clock: Clock, seconds: dict[int, float]) -> None:
        super().__init__(100)
        self.clock, self.seconds, self.threads = clock, seconds, 0

    def set_threads(self, threads: int) -> None:
        self.threads = threads

    def decode(self, rows: Sequence[Row]) -> list[int]:
        self.clock.now += self.seconds[self.threads] + self.clock.hiccup
        self.clock.hiccup = 0.0
        return super().decode(rows)


@pytest.mark.parametrize(
    ("cores", "tries"),
    [(1, [1]), (2, [1]), (3, [2, 1]), (4, [3, 1]), (8, [7, 3, 1]), (64, [63, 31, 15, 7, 3, 1])],
)
def test_one_core_stays_free(cores: int, tries: list[int]) -> None:
    assert candidates(cores) == tries


@pytest.mark.parametrize("fastest", [7, 3, 1])
def test_the_fastest_is_chosen_and_nothing_is_left_behind(fastest: int) -> None:
    clock = Clock()
    model = Slow(clock, {threads: 0.001 if threads == fastest else 0.002 for threads in (7, 3, 1)})
    assert choose(model, 5, [7, 3, 1], clock) == model.threads == fastest
    assert model.used == 0


@pytest.mark.parametrize(
    ("seconds", "chosen", "spent"),
    [
        ({15: 0.3, 7: 0.5, 3: 1.0, 1: 3.0}, 15, 0.8),
        ({15: 5.0, 7: 0.5, 3: 1.0, 1: 3.0}, 7, 6.5),
        ({15: 5.0, 7: 1.0, 3: 0.5, 1: 0.3}, 1, 6.8),
    ],
    ids=["the more, the faster", "all but one core collapse", "one is fastest"],
)
def test_a_slow_model_is_measured_once_and_only_while_it_gets_faster(
    seconds: dict[int, float], chosen: int, spent: float
) -> None:
    clock = Clock()
    model = Slow(clock, seconds)
    assert choose(model, 5, [15, 7, 3, 1], clock) == model.threads == chosen
    assert clock.now == pytest.approx(spent)


def test_one_hiccup_does_not_decide() -> None:
    clock = Clock()
    model = Slow(clock, {3: 0.002, 1: 0.004})
    clock.hiccup = 0.02
    assert choose(model, 5, [3, 1], clock) == 3


def _steps(pace: Pace, clock: Clock, seconds: float, until: float, tokens: int = 1) -> bool:
    """Whether it was disturbed while steps took so long."""
    while clock.now < until:
        clock.now += seconds
        pace.note(tokens, seconds)
        if pace.disturbed(reduced=False):
            return True
    return False


def test_steps_that_are_slow_for_seconds_disturb_once() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert not _steps(pace, clock, 0.01, 30)
    assert _steps(pace, clock, 0.05, 40)
    assert not _steps(pace, clock, 0.05, 50)


def test_a_hiccup_and_a_larger_batch_do_not() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert not _steps(pace, clock, 0.01, 30)
    assert not _steps(pace, clock, 0.05, 31.5)
    assert not _steps(pace, clock, 0.01, 40)
    assert not _steps(pace, clock, 0.1, 60, tokens=16)


def test_with_fewer_threads_than_usual_it_is_tried_again_now_and_then() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now = 10
    assert not pace.disturbed(reduced=True)
    clock.now = 21
    assert not pace.disturbed(reduced=False)
    assert pace.disturbed(reduced=True)
    assert not pace.disturbed(reduced=True)


def test_how_much_is_read_in_a_time_is_learnt_from_large_batches() -> None:
    pace = Pace(Clock())
    pace.note(1, 1.0)
    assert pace.room(0.04) == 0
    for _ in range(30):
        pace.note(100, 0.01)
    assert pace.room(0.04) == pytest.approx(400, rel=0.01)
    for _ in range(30):
        pace.note(100, 0.1)
    assert pace.room(0.04) == pytest.approx(40, rel=0.05)
