from __future__ import annotations

import torch

from learner.base.circuit import initialise
from learner.base.model import Llama, ModelConfig


def test_copying_is_there_from_the_start() -> None:
    model = Llama(ModelConfig(layers=2, vocabulary=1000))
    initialise(model, seed=2)
    generator = torch.Generator().manual_seed(5)
    copied = 0
    for _ in range(20):
        sequence = torch.randperm(1000, generator=generator)[:24]
        ids = torch.cat((sequence, sequence[:12]))
        copied += int(model(ids)[24:35].argmax(-1).eq(sequence[1:12]).sum())
    assert copied > 0.4 * 20 * 11  # by chance: one in a thousand


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, other = (Llama(ModelConfig(hidden=64, inner=96, layers=2)) for _ in range(3))
    initialise(first, 1)
    initialise(second, 1)
    initialise(other, 2)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
