from __future__ import annotations

import itertools
import random

import pytest
import torch

from learner.base.batches import MARK_WEIGHT, ROW_TOKENS, Row, batches, collate, make_rows
from learner.base.corpus import Sample, samples
from learner.base.model import Llama
from learner.base.tokenize import Encoder


def sample(number: int = 0, branches: int = 3) -> Sample:
    return next(samples(8, branches, start=number))


def row_of(one: Sample, encoder: Encoder) -> Row:
    (row,) = make_rows(one, encoder, random.Random(1), 2000)
    return row


def test_a_branch_sees_what_it_would_see_alone(encoder: Encoder, toy: Llama) -> None:
    """The logits of every reply equal those of the turn's own prompt: as in serving."""
    one = sample(3)
    row = row_of(one, encoder)
    batch = collate([row])
    packed = toy.logits(toy.hidden(batch.ids, batch.positions, batch.layout))
    for segment, turn in enumerate(one.turns, 1):
        scene = one.scene
        prompt = encoder.prompt(scene.persona, scene.history, turn.facts, scene.player, turn.line)
        reply = encoder.reply(turn.reply)
        alone = toy(torch.tensor([*prompt, *reply]))[-len(reply) :]
        where = [index for index, own in enumerate(row.segments) if own == segment][-len(reply) :]
        assert torch.allclose(packed[where], alone, atol=1e-3)


def test_replies_count_in_full_and_prompts_a_little(encoder: Encoder) -> None:
    one = sample(5)
    row = row_of(one, encoder)
    spoken = sum(len(encoder.reply(turn.reply)) for turn in one.turns)
    assert sum(weight >= 1 for weight in row.weights) == spoken
    opening = [w for w, t in zip(row.weights, row.targets, strict=True) if t in encoder.opening and w >= 1]
    assert opening
    assert all(weight == MARK_WEIGHT for weight in opening)
    assert 0 < sum(0 < weight < 1 for weight in row.weights) < len(row.ids) / 3


def test_targets_are_the_next_tokens(encoder: Encoder) -> None:
    row = row_of(sample(7), encoder)
    for index, weight in enumerate(row.weights):
        if weight:
            assert row.segments[index] == row.segments[index + 1]
            assert row.targets[index] == row.ids[index + 1]


def test_what_does_not_fit_is_left_out(encoder: Encoder) -> None:
    one = sample()
    assert make_rows(one, encoder, random.Random(1), 20) == []


def test_rows_hold_many_turns_and_do_not_grow_too_long(encoder: Encoder) -> None:
    rows = turns = 0
    for number in range(20):
        one = sample(number, branches=12)
        made = make_rows(one, encoder, random.Random(1), 2000)
        assert sum(max(row.segments) for row in made) == len(one.turns)
        assert all(len(row.ids) <= ROW_TOKENS or max(row.segments) == 1 for row in made)
        rows, turns = rows + len(made), turns + len(one.turns)
    assert rows < turns / 3


def test_a_row_sees_nothing_of_the_others(encoder: Encoder, toy: Llama) -> None:
    rows = [row_of(sample(n), encoder) for n in (1, 2)]
    together, alone = collate(rows), collate(rows[1:])
    with torch.no_grad():
        a = toy.hidden(together.ids, together.positions, together.layout)[len(rows[0].ids) :]
        b = toy.hidden(alone.ids, alone.positions, alone.layout)
    assert torch.allclose(a, b, atol=1e-4)


def test_workers_and_wide_blocks_change_nothing_of_a_batch(encoder: Encoder, toy: Llama) -> None:
    alone = batches(encoder, 1, 0, 3000, 1000, branches=6)
    helped = batches(encoder, 1, 0, 3000, 1000, branches=6, workers=2, together=64)
    for (a, number), (b, other) in itertools.islice(zip(alone, helped, strict=False), 3):
        assert number == other
        assert torch.equal(a.ids, b.ids)
        assert torch.equal(a.weights, b.weights)
        assert len(b.layout.blocks) < len(a.layout.blocks)
        with torch.no_grad():
            narrow, wide = (toy.hidden(x.ids, x.positions, x.layout) for x in (a, b))
        assert torch.allclose(narrow, wide, atol=1e-4)
    helped.close()


def test_a_batch_moves_whole(encoder: Encoder) -> None:
    moved = collate([row_of(sample(), encoder)]).to(torch.device("meta"))
    tensors = [moved.ids, moved.positions, moved.targets, moved.weights, moved.layout.places]
    tensors += [tensor for block in moved.layout.blocks for tensor in block]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("tokens", [2000, 4000])
def test_batches_are_the_same_again_and_of_the_asked_size(encoder: Encoder, tokens: int) -> None:
    first, second = (list(itertools.islice(batches(encoder, 1, 0, tokens, 1000), 4)) for _ in range(2))
    for (a, number), (b, _) in zip(first, second, strict=True):
        assert torch.equal(a.ids, b.ids)
        assert len(a.ids) == len(a.targets) <= tokens
        assert number > 0
