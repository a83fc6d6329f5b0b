"""Judged replies and texts come in; how likely champion and challenger find them goes out, and which LoRA
scale is worth judging.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import sqrt
from typing import Literal

import msgspec

from learner.dataset.learnable import replay
from learner.evaluate.contest import Contest, Stage, examples_of, part_of, quiet, some
from learner.evaluate.scoring import Contender, Likely, Scorer, Text
from learner.evaluate.settings import EvaluationSettings
from learner.examples import Example
from learner.gate.evidence import Judged, Likelihood, Tried
from learner.gate.preference import influence, value
from learner.gate.statistics import perplexity_ratio
from learner.prompts import prompt_key

_GOLDEN_SEED = 20_261_120  # no training run replays this part of the corpus
_TRIED_SEED = _GOLDEN_SEED + 1
_MOST_TRAINED = 600


def most_followed(contest: Contest, scale: float, part: float, stage: Stage = quiet) -> list[str]:
    """The raters of the training data whose judgements moved the challenger most, this share of all: train
    without them (`secrets.leave_out`) to see whether it stands on their word alone."""
    examples = some(examples_of(contest, "train"), _MOST_TRAINED)
    with Scorer(contest.model) as scorer:
        rows = judge_all(scorer, contest.champion, Contender(contest.adapter, scale), examples, stage)
    parts = influence(rows)
    return [rater for rater in list(parts)[: max(1, round(part * len(parts)))] if rater]


def judge_all(
    scorer: Scorer, champion: Contender, challenger: Contender, examples: Sequence[Example], stage: Stage
) -> list[Judged]:
    """How likely both sides find the judged replies. Pairs that only repeat two thumbs are left out."""
    taken = _taken(examples)
    texts = _texts(taken)
    old = scorer.score(champion, texts, part_of(stage, "judgements, champion", len(texts)))
    new = scorer.score(challenger, texts, part_of(stage, "judgements, challenger", len(texts)))
    return _compared(taken, old, new)


def _taken(examples: Sequence[Example]) -> list[Example]:
    """The judgements among them, each once."""
    thumbs = {
        (prompt_key(each.messages), each.completion, each.label) for each in examples if each.kind == "thumb"
    }
    return [
        each
        for each in examples
        if each.weight > 0
        and (
            (each.kind == "thumb" and each.label is not None)
            or (each.kind == "pair" and each.rejected is not None and not _repeats(each, thumbs))
        )
    ]


def _texts(taken: Sequence[Example]) -> list[Text]:
    """Their judged replies, and behind them what pairs reject."""
    texts = [Text(each.messages, each.completion) for each in taken]
    return texts + [Text(each.messages, each.rejected or "") for each in taken if each.kind == "pair"]


def _compared(
    taken: Sequence[Example], old: Sequence[Likely | None], new: Sequence[Likely | None]
) -> list[Judged]:
    """How likely both sides find these texts, as rows of judgements."""
    found, second = [], len(taken)
    for number, each in enumerate(taken):
        row = _judged(each, old[number], new[number])
        if each.kind == "pair":
            row = _against(row, old[second], new[second])
            second += 1
        if row:
            found.append(row)
    return found


def _repeats(pair: Example, thumbs: Container[tuple[tuple[str, str], str, bool | None]]) -> bool:
    key = prompt_key(pair.messages)
    return (key, pair.completion, True) in thumbs and (key, pair.rejected, False) in thumbs


def _judged(example: Example, old: Likely | None, new: Likely | None) -> Judged | None:
    if old is None or new is None:
        return None
    return Judged(
        id=example.id,
        kind="pair" if example.kind == "pair" else "thumb",
        rater=example.rater,
        weight=example.weight,
        tokens=old.tokens,
        champion=round(old.total, 5),
        challenger=round(new.total, 5),
        good=example.kind == "pair" or bool(example.label),
    )


def _against(row: Judged | None, old: Likely | None, new: Likely | None) -> Judged | None:
    if row is None or old is None or new is None:
        return None
    return msgspec.structs.replace(
        row,
        rejected_tokens=old.tokens,
        champion_rejected=round(old.total, 5),
        challenger_rejected=round(new.total, 5),
    )


def try_scales(
    scorer: Scorer,
    contest: Contest,
    validation: Sequence[Example],
    settings: EvaluationSettings,
    stage: Stage,
) -> list[Tried]:
    """Each scale on validation, by how far it moves judged replies to where raters wanted them; the best one
    that keeps golden texts likely is chosen."""
    taken = _taken(some(validation, settings.judgements))
    texts = _texts(taken)
    golden = _golden(_TRIED_SEED, settings.golden_texts)
    old, before = scorer.score(contest.champion, texts), scorer.score(contest.champion, golden)
    tried, judged = [], 0
    for number, scale in enumerate(settings.scales):
        stage("LoRA scales", number, len(settings.scales))
        contender = Contender(contest.adapter, scale)
        rows = _compared(taken, old, scorer.score(contender, texts))
        judged = len(rows)
        ratio = _perplexity(before, scorer.score(contender, golden))
        tried.append(Tried(scale, round(value(rows), 5), round(ratio, 5)))
    best = best_scale(tried, judged, settings.most_perplexity)
    return [msgspec.structs.replace(each, chosen=each is best) for each in tried]


def best_scale(tried: Sequence[Tried], judgements: int, most_perplexity: float) -> Tried:
    """The largest scale that so many judgements cannot tell from the one they like best, by one standard
    error, among those that keep golden texts likely; if none does, the one that keeps them likeliest.

    What is shown at half the scale in likelihoods may not be said yet.
    """
    fit_ones = [each for each in tried if each.perplexity_ratio <= most_perplexity]
    if not fit_ones:
        return min(tried, key=lambda each: each.perplexity_ratio)
    alike = max(each.preference for each in fit_ones) - 0.5 / sqrt(max(1, judgements))
    return max((each for each in fit_ones if each.preference >= alike), key=lambda each: each.scale)


def _perplexity(old: Sequence[Likely | None], new: Sequence[Likely | None]) -> float:
    pairs = [(one, two) for one, two in zip(old, new, strict=True) if one and two]
    tokens = sum(one.tokens for one, _ in pairs)
    return perplexity_ratio(sum(one.total - two.total for one, two in pairs), tokens)


def _golden(seed: int, count: int) -> list[Text]:
    """Their words alone: where a reply ends is for players to say."""
    return [Text(each.messages, each.completion, ends=False) for each in replay(seed, count)]


def likelihoods(
    scorer: Scorer,
    champion: Contender,
    challenger: Contender,
    test: Sequence[Example],
    settings: EvaluationSettings,
    stage: Stage,
) -> list[Likelihood]:
    """How likely both sides find texts of the base's own kind, and what test raters showed."""
    golden = _golden(_GOLDEN_SEED, settings.golden_texts)
    shown = [each for each in test if each.kind == "demonstration"][: settings.golden_texts]
    texts = golden + [Text(each.messages, each.completion) for each in shown]
    old = scorer.score(champion, texts, part_of(stage, "perplexity", 2 * len(texts)))
    new = scorer.score(challenger, texts, part_of(stage, "perplexity", 2 * len(texts), len(texts)))
    names = [f"golden-{number}" for number in range(len(golden))] + [each.id for each in shown]
    found = []
    for number, (name, one, two) in enumerate(zip(names, old, new, strict=True)):
        kind: Literal["golden", "demonstration"] = "golden" if number < len(golden) else "demonstration"
        if one and two:
            found.append(Likelihood(name, kind, one.tokens, round(one.total, 5), round(two.total, 5)))
    return found
