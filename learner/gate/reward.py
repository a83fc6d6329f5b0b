"""A small model of what raters like: judged replies come in, the chance that a rater calls a reply good goes
out.

Logistic regression on a few features that can be named, and on hashed words. It is calibrated on raters it
has not seen, says how well it tells good from bad, and is never the only judge.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from agent_runtime.npc.prompt import REFERENCE, Message
from learner.base.checks import ACTION, faults, voice_fits
from learner.examples import Example
from learner.gate.statistics import auc
from learner.prompts import prompt_key

HASHED = 512
FOLDS = 5
FEWEST = 20
"""Judgements of each kind that it takes to learn anything."""
_PENALTIES = (1.0, 4.0, 16.0)
_VOICE = re.compile(r"\bVoice: ([\w-]+)")
_ASKED = re.compile(r"^\[[a-z0-9]+\] ", re.M)
_WORD = re.compile(r"[a-z']+|\d+|[!?]|\.\.\.")
NAMES = (
    "words",
    "long",
    "short",
    "quotes",
    "quotes nothing",
    "quotes unasked",
    "admits",
    "denies",
    "faults of form",
    "actions",
    "question",
    "exclamation",
    "names the player",
    "fits the voice",
    "repeats the line",
    "varied",
)

Array = NDArray[np.float64]


def features(messages: Sequence[Message], reply: str) -> Array:
    """What is counted of a reply to a prompt: `NAMES`, then hashed words and pairs of words."""
    system, last = messages[0].content, messages[-1].content
    player, _, line = last.rpartition("\n")[2].partition(": ")
    words = _WORD.findall(ACTION.sub(" ", reply).lower())
    count, quoted = len(words), len(REFERENCE.findall(reply))
    asked, acts = len(_ASKED.findall(last)), len(ACTION.findall(reply))
    sounds = faults({"admits": True, "denies": True}, reply, ())
    admits, denies = (not any(f"it {word}" in fault for fault in sounds) for word in ("admits", "denies"))
    said = set(_WORD.findall(line.lower()))
    named = [
        math.log1p(count),
        count > 30,
        count < 4,
        min(quoted, 3),
        asked > 0 and quoted == 0 and acts == 0,
        quoted > asked,
        admits,
        denies,
        len(faults({}, reply, ())),
        min(acts, 2),
        "?" in reply,
        "!" in reply,
        bool(player) and player.lower() in reply.lower(),
        _fit(system, reply),
        len(said & set(words)) / max(1, len(said)),
        len(set(words)) / max(1, count),
    ]
    hashed = np.zeros(HASHED)
    for gram in (*words, *(" ".join(pair) for pair in pairwise(words))):
        hashed[zlib.crc32(gram.encode()) % HASHED] += 1
    return np.concatenate([np.array(named, dtype=np.float64), hashed / math.sqrt(max(1, count))])


def _fit(system: str, reply: str) -> float:
    """How much better the persona's voice fits than the best other one; 0 for voices without a list."""
    voice = _VOICE.search(system)
    fits = voice_fits(reply)
    if voice is None or voice[1] not in fits:
        return 0.0
    others = max(fit for name, fit in fits.items() if name != voice[1])
    return max(-2.0, min(2.0, (fits[voice[1]] - others) / 10))


@dataclass(frozen=True, slots=True)
class RewardModel:
    """Weights over standardised features, and the line that calibrates their sum. `seen_auc` was measured
    across raters within the training data."""

    mean: Array
    scale: Array
    weights: Array
    slope: float
    offset: float
    seen_auc: float

    def rate(self, messages: Sequence[Message], replies: Sequence[str]) -> list[float]:
        """The chance that a rater calls each reply good, 0 to 1."""
        table = np.stack([features(messages, reply) for reply in replies])
        return [float(chance) for chance in self._chances(table)]

    def measure(self, examples: Sequence[Example]) -> tuple[float, int, int]:
        """AUC on judged replies (NaN without both kinds), and how many were good and bad."""
        thumbs = judged(examples)
        good = sum(bool(example.label) for example in thumbs)
        if not thumbs:
            return math.nan, 0, 0
        chances = self._chances(np.stack([features(each.messages, each.completion) for each in thumbs]))
        return auc(chances.tolist(), [bool(each.label) for each in thumbs]), good, len(thumbs) - good

    def save(self, path: Path) -> None:
        """Keep it as a file of numpy's."""
        np.savez_compressed(
            path,
            mean=self.mean,
            scale=self.scale,
            weights=self.weights,
            line=np.array([self.slope, self.offset, self.seen_auc]),
        )

    @classmethod
    def load(cls, path: Path) -> RewardModel:
        """Read a kept one. Raises `OSError` or `ValueError` for a broken file."""
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["mean"], kept["scale"], kept["weights"], *kept["line"].tolist())

    def _chances(self, table: Array) -> Array:
        sums = (table - self.mean) / self.scale @ self.weights[:-1] + self.weights[-1]
        return np.asarray(expit(self.slope * sums + self.offset))


def judged(examples: Sequence[Example]) -> list[Example]:
    """The thumbs among them that weigh anything, and as good ones the replies that players wrote themselves:
    what was missed in every reply stands in no other. A pair whose better reply was judged as a reply to the
    same prompt says nothing more."""
    weighty = [each for each in examples if each.weight > 0]
    thumbs = [each for each in weighty if each.kind == "thumb" and each.label is not None]
    said = {(prompt_key(each.messages), each.completion) for each in thumbs}
    written = [
        each
        for each in weighty
        if each.kind == "pair" and (prompt_key(each.messages), each.completion) not in said
    ]
    return thumbs + [msgspec.structs.replace(each, kind="thumb", label=True) for each in written]


def fit(examples: Sequence[Example]) -> RewardModel | None:
    """Learn from judged replies; None when there are too few of either kind. The penalty and the
    calibration come from raters that each fold has not seen."""
    thumbs = judged(examples)
    labels = np.array([bool(each.label) for each in thumbs], dtype=np.float64)
    if min(labels.sum(), len(labels) - labels.sum()) < FEWEST:
        return None
    table = np.stack([features(each.messages, each.completion) for each in thumbs])
    mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-2)
    # A hashed word that hardly occurs must not weigh like one that tells the raters apart.
    scale[len(NAMES) :] = np.maximum(scale[len(NAMES) :], 0.2)
    table = (table - mean) / scale
    weights = np.array([each.weight for each in thumbs])
    folds = np.array([zlib.crc32(each.rater.encode()) % FOLDS for each in thumbs])
    found = {penalty: _unseen(table, labels, weights, folds, penalty) for penalty in _PENALTIES}
    penalty = min(found, key=lambda value: _loss(found[value], labels, weights))
    unseen = found[penalty]
    slope, offset = _calibrated(unseen, labels, weights)
    return RewardModel(
        mean,
        scale,
        _regress(table, labels, weights, penalty),
        slope,
        offset,
        auc(unseen.tolist(), labels.astype(bool).tolist()),
    )


def _unseen(table: Array, labels: Array, weights: Array, folds: NDArray[np.int64], penalty: float) -> Array:
    """Each judgement's score from a model that saw none of its rater."""
    scores = np.zeros(len(labels))
    for fold in range(FOLDS):
        inside, outside = folds == fold, folds != fold
        if inside.any() and outside.any():
            learned = _regress(table[outside], labels[outside], weights[outside], penalty)
            scores[inside] = table[inside] @ learned[:-1] + learned[-1]
    return scores


def _regress(table: Array, labels: Array, weights: Array, penalty: float) -> Array:
    """Penalised logistic regression; the last weight is the constant, which is not penalised."""
    signs, whole = 2 * labels - 1, weights / weights.mean()

    def loss(point: Array) -> tuple[float, Array]:
        margins = signs * (table @ point[:-1] + point[-1])
        slope = -whole * signs * expit(-margins)
        gradient = np.append(table.T @ slope + penalty * point[:-1], slope.sum())
        total = float((whole * np.logaddexp(0, -margins)).sum())
        return total + penalty / 2 * float(point[:-1] @ point[:-1]), gradient

    start = np.zeros(table.shape[1] + 1)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x)


def _calibrated(scores: Array, labels: Array, weights: Array) -> tuple[float, float]:
    """Platt's line (1999) over the scores of unseen raters; a slope below 0 would be no model at all."""
    slope, offset = _regress(scores[:, None], labels, weights, 1e-3)
    return max(0.0, float(slope)), float(offset)


def _loss(scores: Array, labels: Array, weights: Array) -> float:
    slope, offset = _calibrated(scores, labels, weights)
    margins = (2 * labels - 1) * (slope * scores + offset)
    return float((weights * np.logaddexp(0, -margins)).sum())
