"""A model and a batch of items come in; one loss to go down comes out, and what the log shows of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from learner.train import kto_dpo as prefer
from learner.train.backends import ROUND, Trainable
from learner.train.profiles import Preference
from learner.train.rows import Item, Objective, Row

References = Mapping[int, tuple[float, ...]]
MAY_END = 0.05
"""The base's chance of ending a reply above which another end may be learned."""
ENDS_ANYWAY = 0.15
"""How much the end of an imitated reply counts where the base would end it anyway."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """What every batch's loss needs beside the batch. `references` holds what the bare base makes of each
    item, by its number (see `references`); `means` the mean weight of each objective, `sizes` the mean size
    of its batches."""

    items: Sequence[Item]
    preference: Preference
    references: References
    means: Mapping[Objective, float]
    sizes: Mapping[Objective, float]

    def part(self, numbers: Sequence[int]) -> float:
        """How much a batch counts beside others of its objective. Long prompts make small batches, and what
        is alone in one may not count for more."""
        return size(self.items, numbers) / self.sizes[self.items[numbers[0]].objective]

    def loss(self, trainable: Trainable, numbers: Sequence[int]) -> Tensor:
        """Of one batch of one objective; the examples' weights count beside those of other batches."""
        items = [self.items[number] for number in numbers]
        objective = items[0].objective
        device = trainable.device
        if objective == "keep":
            return self.preference.keep * divergence(trainable, [item.rows[0] for item in items])
        weights = torch.tensor([item.weight for item in items], device=device) / self.means[objective]
        first = [item.rows[0] for item in items]
        known = torch.tensor([self.references[number] for number in numbers], device=device)
        if objective == "sft":
            return imitation(trainable, first, weights, known[:, 0])
        second = [item.rows[1] for item in items]
        if objective == "dpo":
            sums, _ = log_probabilities(trainable, [*first, *second])
            chosen, rejected = sums.chunk(2)
            losses = prefer.dpo(chosen, rejected, known[:, 0], known[:, 1], self.preference.dpo_beta)
        else:
            with torch.no_grad():
                strangers, _ = log_probabilities(trainable, second)
            sums, _ = log_probabilities(trainable, first)
            label = torch.tensor([float(item.label) for item in items], device=device)
            drift = strangers - known[:, 1]
            losses = prefer.kto(sums, known[:, 0], drift, label, self.preference.kto_beta)
        return self.preference.share * (weights * losses).mean()


def imitation(trainable: Trainable, rows: Sequence[Row], weights: Tensor, ends: Tensor) -> Tensor:
    """The mean over the replies' tokens of their negative log-probability, in nats; `weights` (rows,) are the
    examples', `ends` (rows,) how likely the base ends each reply there.

    A liked reply that says nothing after what the base says anyway tells little about what players like said
    there; the end of one that goes on counts in full, or the model would not learn to come to it.
    """
    each, counts = _token_log_probabilities(trainable, rows)
    taught = weights.repeat_interleave(counts)
    last = counts.cumsum(0) - 1
    taught[last] *= (1 - ends).clamp(min=ENDS_ANYWAY)
    return -(taught * each).sum() / counts.sum()


def log_probabilities(trainable: Trainable, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Sums of the replies' log-probabilities (rows,), and how many tokens each sum has."""
    each, counts = _token_log_probabilities(trainable, rows)
    owners = torch.arange(len(rows), device=trainable.device).repeat_interleave(counts)
    return torch.zeros(len(rows), device=trainable.device).index_add(0, owners, each), counts


def _token_log_probabilities(trainable: Trainable, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Those of all replies' tokens in a row (tokens,), and how many each reply has (rows,)."""
    ids, chosen = (part.to(trainable.device) for part in _padded(rows))
    targets = [token for row in rows for token in row.ids[row.prompt :]]
    logits = trainable.scores(ids, chosen)
    each = -F.cross_entropy(logits, torch.tensor(targets, device=trainable.device), reduction="none")
    return each, torch.tensor([len(row.ids) - row.prompt for row in rows], device=trainable.device)


def ends_there(trainable: Trainable, rows: Sequence[Row]) -> list[float]:
    """How likely it is that each reply, its words given, ends at its last token and at none before."""
    ids, chosen = (part.to(trainable.device) for part in _padded(rows))
    ends = trainable.scores(ids, chosen).softmax(dim=-1)[:, rows[0].ids[-1]]
    replies = torch.split(ends, [len(row.ids) - row.prompt for row in rows])
    return [(each[-1] * (1 - each[:-1]).prod()).item() for each in replies]


def divergence(trainable: Trainable, rows: Sequence[Row]) -> Tensor:
    """How far the model's distributions over next tokens have moved from the bare base's, in nats: the mean
    over the replies' tokens (learning without forgetting, Li & Hoiem 2016, https://arxiv.org/abs/1606.09282).

    Where the base might end the reply the model is free, or it could not learn what players want said there;
    each row's last token is the one that ends it.
    """
    ids, chosen = (part.to(trainable.device) for part in _padded(rows))
    with torch.no_grad(), trainable.model.disable_adapter():
        before = F.log_softmax(trainable.scores(ids, chosen), dim=-1)
    held = before[:, rows[0].ids[-1]] < math.log(MAY_END)
    after = F.log_softmax(trainable.scores(ids, chosen), dim=-1)
    moved = F.kl_div(after, before, reduction="none", log_target=True).sum(dim=-1)
    return (moved * held).sum() / held.sum().clamp(min=1)


def _padded(rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """Token ids (rows, length), padded on the right, and which of them predict a token of a reply."""
    length = -(-max(len(row.ids) for row in rows) // ROUND) * ROUND
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    chosen = torch.zeros(len(rows), length, dtype=torch.bool)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
        chosen[number, row.prompt - 1 : len(row.ids) - 1] = True
    return ids, chosen


def references(trainable: Trainable, items: Sequence[Item], numbers: Sequence[Sequence[int]]) -> References:
    """What the bare base makes of items: the log-probability of both rows of one to be preferred, and of one
    to be imitated how likely it ends where it does. `numbers` are batches of items."""
    found: dict[int, tuple[float, ...]] = {}
    trainable.dropout(False)
    with torch.no_grad(), trainable.model.disable_adapter():
        for batch in numbers:
            objective = items[batch[0]].objective
            if objective == "keep":
                continue
            sides = list(zip(*(items[number].rows for number in batch), strict=True))
            if objective == "sft":
                values = [ends_there(trainable, sides[0])]
            else:
                values = [log_probabilities(trainable, rows)[0].tolist() for rows in sides]
            found.update(zip(batch, zip(*values, strict=True), strict=True))
    return found


def size(items: Sequence[Item], numbers: Sequence[int]) -> float:
    """Of a batch of one objective: examples where replies are judged, else tokens of replies."""
    rows = [items[number].rows[0] for number in numbers]
    if items[numbers[0]].objective in ("kto", "dpo"):
        return len(rows)
    return sum(len(row.ids) - row.prompt for row in rows)


def mean_sizes(items: Sequence[Item], parts: Sequence[Sequence[int]]) -> dict[Objective, float]:
    """Of batches, by objective."""
    found: dict[Objective, list[float]] = {}
    for numbers in parts:
        found.setdefault(items[numbers[0]].objective, []).append(size(items, numbers))
    return {objective: sum(sizes) / len(sizes) for objective, sizes in found.items()}


def mean_weights(items: Sequence[Item]) -> dict[Objective, float]:
    """By objective."""
    found: dict[Objective, list[float]] = {}
    for item in items:
        found.setdefault(item.objective, []).append(item.weight)
    return {objective: sum(weights) / len(weights) for objective, weights in found.items()}
