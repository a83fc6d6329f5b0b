"""Sampling settings as the stages of a chain."""

from __future__ import annotations

from agent_runtime.engine.sampling import choose_seed, stages
from agent_runtime.npc.persona import Sampling


def _names(sampling: Sampling) -> list[str]:
    return [name for name, _ in stages(sampling, 1)]


def test_temperature_zero_is_greedy_and_needs_nothing_else() -> None:
    assert _names(Sampling(temperature=0)) == ["greedy"]


def test_what_changes_nothing_is_left_out() -> None:
    assert _names(Sampling(top_p=1, min_p=0)) == ["temp", "dist"]


def test_repetition_is_punished_before_anything_is_filtered() -> None:
    assert _names(Sampling(repeat_penalty=1.2)) == ["penalties", "min_p", "top_p", "temp", "dist"]


def test_a_given_seed_is_kept_and_a_large_one_folded() -> None:
    assert choose_seed(42) == 42
    assert choose_seed(2**32 - 2) == 2**32 - 2
    assert 0 < choose_seed(2**63 + 5) < 2**32 - 1


def test_seed_zero_is_a_fresh_one_each_time() -> None:
    seeds = {choose_seed(0) for _ in range(50)}
    assert len(seeds) > 45
    assert 0 not in seeds
