"""Signs of life from within a long batch, over the library's own callback and over a real model."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.engine.backend import Row, Size
from agent_runtime.engine.llama import Llama
from agent_runtime.engine.pulse import LONG, Pulse


def test_it_beats_now_and_then_and_never_breaks_off() -> None:
    beats: list[int] = []
    pulse = Pulse()
    pulse.listen(lambda: beats.append(1))
    asked = pulse.asked(LONG + 1)
    assert callable(asked)
    assert not any(asked(None) for _ in range(1_000))
    assert len(beats) == 1


def test_a_short_batch_is_not_slowed_down_and_neither_is_one_that_nobody_listens_to() -> None:
    pulse = Pulse()
    assert not pulse.asked(LONG + 1)
    pulse.listen(lambda: None)
    assert not pulse.asked(LONG)
    assert pulse.asked(LONG + 1)


def test_many_short_batches_in_a_row_are_asked_too() -> None:
    pulse = Pulse()
    pulse.listen(lambda: None)
    with pulse.for_all():
        assert pulse.asked(1)
    assert not pulse.asked(1)


def test_a_model_beats_while_it_reads_a_long_prompt(noise: Path) -> None:
    beats: list[int] = []
    model = Llama(noise)
    try:
        model.open(Size(sequences=2, cells=512, batch=512, threads=1))
        model.pulse.listen(lambda: beats.append(1))
        model.decode([Row(0, 0, range(8), False)])
        assert not beats
        assert model.decode([Row(1, 0, range(200), True)]) == [199]
        assert beats
    finally:
        model.close()
