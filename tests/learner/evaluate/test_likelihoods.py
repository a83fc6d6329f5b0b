"""Which judgements count, and which LoRA scale is judged: the largest that raters cannot tell from the
best."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.npc.prompt import Message
from learner.evaluate.contest import quiet
from learner.evaluate.likelihoods import best_scale, judge_all
from learner.evaluate.scoring import Contender, Scorer
from learner.examples import Example
from learner.gate.evidence import Tried

BARE = Contender()


def tried(*rows: tuple[float, float, float]) -> list[Tried]:
    return [Tried(scale, preference, ratio) for scale, preference, ratio in rows]


def prompt(line: str, time: str = "noon") -> tuple[Message, ...]:
    return Message("system", "You are Mira."), Message("user", f"Around you: time: {time}\nann: {line}")


def thumb(id: str, line: str, reply: str, label: bool, time: str = "noon") -> Example:
    return Example(id, "thumb", prompt(line, time), reply, label=label, rater="a")


def judged(model: Path, *examples: Example) -> list[str]:
    with Scorer(model) as scorer:
        return [row.id for row in judge_all(scorer, BARE, BARE, examples, quiet)]


def test_a_pair_that_only_repeats_two_thumbs_is_left_out(model: Path) -> None:
    liked = thumb("1", "hello", "Good day.", True)
    disliked = thumb("2", "Hello", "What.", False, time="night")
    pair = Example("3", "pair", liked.messages, "Good day.", rejected="What.", rater="a")
    assert judged(model, liked, disliked, pair) == ["1", "2"]


def test_a_correction_counts_though_its_words_were_liked_elsewhere(model: Path) -> None:
    liked = thumb("1", "goodbye", "Goodbye. Safe travels.", True)
    disliked = thumb("2", "i have to go now", "Goodbye.", False)
    pair = Example("3", "pair", disliked.messages, liked.completion, rejected="Goodbye.", rater="b")
    assert judged(model, liked, disliked, pair) == ["1", "2", "3"]


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
