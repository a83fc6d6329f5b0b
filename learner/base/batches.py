"""Samples come in, tensors go out: each row is one shared context with several turns branching off.

A branch attends to the context and to itself, at the positions it would have alone, so one row teaches
several replies for the price of one context and gives the same gradients as separate rows.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from tokenizers import Tokenizer
from torch import Tensor

from learner.base.corpus import Sample, samples
from learner.base.layout import BRANCHES, Family, Layout, arrange
from learner.base.tokenize import Encoder

POOL = 192
ROW_TOKENS = 1600  # branches see the beginning and themselves, so that long rows cost no more attention
LATE = 600.0  # seconds after which a worker must have died
PROMPT_SHARE = 0.125
PROMPT_WEIGHT = 0.8
MARK_WEIGHT = 3.0  # a wrong word between [[ and ]] quotes the wrong fact; other words have synonyms


Made = TypeVar("Made")
Tokenised = tuple[list[int], list[int]]
"""A prompt and its reply."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sample as numbers. `weights` belong to `targets`: 1 in replies, less in prompts, 0 elsewhere."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    targets: list[int]
    weights: list[float]


@dataclass(frozen=True, slots=True)
class Batch:
    """All tokens of some rows in one sequence: tensors of shape (tokens,), and who may see whom."""

    ids: Tensor
    positions: Tensor
    targets: Tensor
    weights: Tensor
    layout: Layout

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(
            self.ids.to(device),
            self.positions.to(device),
            self.targets.to(device),
            self.weights.to(device),
            self.layout.to(device),
        )


def make_rows(sample: Sample, encoder: Encoder, rng: random.Random, limit: int) -> list[Row]:
    """Tokenise a sample: rows that each hold what its turns share and as many turns as attention bears.
    Turns past the context limit are left out."""
    turns: list[Tokenised] = []
    for turn in sample.turns:
        scene = sample.scene
        prompt = encoder.prompt(scene.persona, scene.history, turn.facts, scene.player, turn.line)
        reply = encoder.reply(turn.reply)
        if len(prompt) + len(reply) <= limit:
            turns.append((prompt, reply))
    if not turns:
        return []
    shared = _common([prompt for prompt, _ in turns])
    groups: list[list[Tokenised]] = [[]]
    length = shared
    for prompt, reply in turns:
        own = len(prompt) + len(reply) - shared
        if groups[-1] and length + own > ROW_TOKENS:
            groups.append([])
            length = shared
        groups[-1].append((prompt, reply))
        length += own
    return [_row(group, shared, encoder, rng) for group in groups]


def _row(branches: Sequence[Tokenised], shared: int, encoder: Encoder, rng: random.Random) -> Row:
    ids, positions, segments = branches[0][0][:shared], list(range(shared)), [0] * shared
    targets = [*ids[1:], 0]
    weights = [PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0 for _ in ids]
    weights[-1] = 0.0
    for segment, (prompt, reply) in enumerate(branches, 1):
        tail = [*prompt[shared:], *reply]
        spoken = len(tail) - len(reply)
        ids += tail
        positions += range(shared, shared + len(tail))
        segments += [segment] * len(tail)
        targets += [*tail[1:], 0]
        weights += [PROMPT_WEIGHT if rng.random() < PROMPT_SHARE else 0.0 for _ in range(spoken - 1)]
        weights += [*_reply_weights(reply, encoder), 0.0]
    return Row(ids, positions, segments, targets, weights)


def _reply_weights(reply: Sequence[int], encoder: Encoder) -> list[float]:
    weights, inside = [], False
    for token in reply:
        opens = token in encoder.opening
        weights.append(MARK_WEIGHT if inside or opens else 1.0)
        inside = (inside or opens) and token not in encoder.closing
    return weights


def _common(prompts: Sequence[list[int]]) -> int:
    first, length = prompts[0], min(len(prompt) for prompt in prompts) - 1
    for index in range(length):
        if any(prompt[index] != first[index] for prompt in prompts):
            return index
    return length


def collate(rows: Sequence[Row], together: int = BRANCHES) -> Batch:
    """Put the rows one behind the other, with so many branches in a block of attention."""

    def flat(name: str) -> Tensor:
        return torch.tensor([value for row in rows for value in getattr(row, name)])

    families, start = [], 0
    for row in rows:
        families.append(_family(row.segments, start))
        start += len(row.ids)
    return Batch(
        flat("ids"), flat("positions"), flat("targets"), flat("weights"), arrange(families, together)
    )


def _family(segments: Sequence[int], start: int) -> Family:
    ends = [at for at in range(1, len(segments)) if segments[at] != segments[at - 1]]
    edges = [start, *(start + at for at in ends), start + len(segments)]
    spans = list(itertools.pairwise(edges))
    return Family(spans[0], tuple(spans[1:]))


def batches(
    encoder: Encoder,
    seed: int,
    start: int,
    tokens: int,
    limit: int,
    branches: int = 28,
    workers: int = 0,
    together: int = BRANCHES,
) -> Generator[tuple[Batch, int]]:
    """Batches of about `tokens` tokens with rows of like beginnings, and the number of the next sample. So
    many workers, processes of their own, make up the samples; the batches are the same with and without."""
    make = partial(_groups, encoder.tokenizer, seed, tokens, limit, branches)
    numbers = itertools.count(start, POOL)
    for following, groups in _ahead(make, numbers, workers) if workers else map(make, numbers):
        for group in groups:
            yield collate(group, together), following


def _groups(
    tokenizer: Tokenizer, seed: int, tokens: int, limit: int, branches: int, number: int
) -> tuple[int, list[list[Row]]]:
    """The rows of one pool of samples in groups of about `tokens` tokens, and the number behind the pool."""
    encoder = Encoder(tokenizer)  # with its template, which cannot be sent to a worker
    rng = random.Random(f"rows:{seed}:{number}")
    drawn = itertools.islice(samples(seed, branches, number), POOL)
    rows = [row for sample in drawn for row in make_rows(sample, encoder, rng, limit)]
    rows.sort(key=lambda row: row.segments.count(0))
    groups: list[list[Row]] = [[]]
    size = 0
    for row in rows:
        if groups[-1] and size + len(row.ids) > tokens:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += len(row.ids)
    rng.shuffle(groups)
    return number + POOL, groups


def _ahead(make: Callable[[int], Made], numbers: Iterator[int], workers: int) -> Iterator[Made]:
    """What `make` makes of the numbers, in their order, made by processes that are a little ahead."""
    deaf = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started them
    with multiprocessing.get_context("spawn").Pool(workers, signal.signal, deaf) as pool:
        first = itertools.islice(numbers, 2 * workers)
        waiting = deque(pool.apply_async(make, (number,)) for number in first)
        while waiting:
            yield waiting.popleft().get(timeout=LATE)
            waiting.append(pool.apply_async(make, (next(numbers),)))
