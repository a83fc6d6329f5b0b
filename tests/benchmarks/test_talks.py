"""What the benchmark reckons from the times of chunks, on an engine whose pace is known."""

from __future__ import annotations

import pytest

from agent_runtime.engine.interface import Finish
from benchmarks.peers import talks
from tests.support.engine import Reply, ScriptedEngine


def told(chunks: list[float], tokens: int) -> talks.Talk:
    return talks.Talk(0.0, chunks, Finish("length", 1, 1, 0, tokens, 0.0, 0.0))


def test_only_the_time_in_which_all_speak_is_counted() -> None:
    early = told([1.0, 2.0, 3.0, 4.0, 5.0], 5)
    late = told([3.0, 4.0, 5.0, 6.0, 7.0], 5)
    assert talks.rate([early, late]) == pytest.approx(2.0)
    assert talks.rate([early]) == pytest.approx(1.0)


def test_tokens_without_a_character_count_as_well() -> None:
    assert talks.rate([told([1.0, 2.0, 3.0, 4.0], 8)]) == pytest.approx(2.0)


def test_talks_that_never_overlap_are_counted_from_first_to_last() -> None:
    assert talks.rate([told([0.0, 1.0], 2), told([2.0, 3.0], 2)]) == pytest.approx(1.0)


async def test_first_tokens_and_rates_are_those_of_the_engine() -> None:
    engine = ScriptedEngine([Reply("one two three four five six", first=0.03, between=0.01)])
    await engine.start()
    assert 29 < await talks.cached_ms(engine) < 200
    firsts = await talks.arrivals_ms(engine, 4)
    assert len(firsts) == 4
    assert min(firsts) > 29
    assert 100 < await talks.decode(engine, 2, 6) <= 200.1
    lines = [request.messages[1].content for request in engine.requests]
    assert len(set(lines)) == len(lines) == 7
