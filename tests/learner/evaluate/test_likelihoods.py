"""Which LoRA scale is judged: the largest that raters cannot tell from the best."""

from __future__ import annotations

from learner.evaluate.likelihoods import best_scale
from learner.gate.evidence import Tried


def tried(*rows: tuple[float, float, float]) -> list[Tried]:
    return [Tried(scale, preference, ratio) for scale, preference, ratio in rows]


def test_the_trained_scale_is_judged_where_few_raters_tell_no_difference() -> None:
    scales = tried((0.25, 0.570, 0.998), (0.5, 0.566, 0.997), (1.0, 0.539, 0.999))
    assert best_scale(scales, 89, 1.05).scale == 1.0


def test_many_judgements_tell_smaller_differences() -> None:
    scales = tried((0.25, 0.570, 0.998), (0.5, 0.566, 0.997), (1.0, 0.539, 0.999))
    assert best_scale(scales, 1000, 1.05).scale == 0.5


def test_a_scale_that_makes_golden_texts_unlikely_is_left_out() -> None:
    assert best_scale(tried((0.5, 0.6, 1.01), (1.0, 0.7, 1.2)), 100, 1.05).scale == 0.5


def test_without_a_scale_that_keeps_golden_texts_likely_the_least_harmful_is_judged() -> None:
    assert best_scale(tried((0.5, 0.6, 1.1), (1.0, 0.7, 1.2)), 100, 1.05).scale == 0.5


def test_without_judgements_the_trained_scale_is_judged() -> None:
    assert best_scale(tried((0.5, 0.5, 1.0), (1.0, 0.5, 1.0)), 0, 1.05).scale == 1.0
