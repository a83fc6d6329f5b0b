from __future__ import annotations

import torch
from torch import nn

from learner.base.model import Llama
from learner.base.optimizer import Muon, make_optimizers, orthogonal


def test_updates_are_nearly_orthogonal() -> None:
    stack = torch.randn(3, 64, 32, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(stack).float())
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_directions_are_kept() -> None:
    stack = torch.randn(1, 16, 48, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(stack[0], full_matrices=False)
    assert (orthogonal(stack)[0] * (left @ right)).sum() > 10


def test_a_linear_map_is_learned() -> None:
    torch.manual_seed(1)
    target, layer, inputs = torch.randn(8, 8) / 4, nn.Linear(8, 8, bias=False), torch.randn(200, 8)
    optimizer = Muon(layer.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = (layer(inputs) - inputs @ target.T).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 20


def test_every_weight_has_one_optimizer(toy: Llama) -> None:
    owned = [
        p
        for optimizer in make_optimizers(toy, 0.01, 0.003)
        for g in optimizer.param_groups
        for p in g["params"]
    ]
    assert len(owned) == len(set(owned)) == len(list(toy.parameters()))
    muon = make_optimizers(toy, 0.01, 0.003)[0]
    assert not any(p is toy.model.embed_tokens.weight for g in muon.param_groups for p in g["params"])
