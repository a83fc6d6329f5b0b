from __future__ import annotations

import math

import torch

from learner.train.kto_dpo import dpo, kto


def test_dpo_knows_no_preference_before_training_and_follows_the_margin() -> None:
    reference = torch.tensor([-5.0, -5.0])
    even = dpo(reference, reference, reference, reference, beta=0.1)
    assert torch.allclose(even, torch.full((2,), math.log(2)))
    better = dpo(torch.tensor([-4.0]), torch.tensor([-7.0]), reference[:1], reference[:1], beta=0.5)
    assert torch.allclose(better, torch.tensor([-math.log(1 / (1 + math.exp(-0.5 * 3)))]))


def test_dpo_pulls_the_two_replies_apart() -> None:
    chosen, rejected = torch.tensor([-5.0], requires_grad=True), torch.tensor([-5.0], requires_grad=True)
    dpo(chosen, rejected, torch.tensor([-5.0]), torch.tensor([-5.0]), beta=0.1).sum().backward()
    assert chosen.grad is not None
    assert rejected.grad is not None
    assert chosen.grad.item() < 0 < rejected.grad.item()


def test_kto_raises_good_replies_and_lowers_bad_ones() -> None:
    policy = torch.tensor([-5.0, -5.0], requires_grad=True)
    losses = kto(policy, torch.tensor([-5.0, -5.0]), torch.zeros(2), torch.tensor([1.0, 0.0]), beta=0.1)
    assert torch.allclose(losses, torch.tensor([0.5, 0.5]))
    losses.sum().backward()
    assert policy.grad is not None
    assert policy.grad[0] < 0 < policy.grad[1]


def test_kto_measures_from_the_general_drift_and_never_from_below_zero() -> None:
    policy, reference, good = torch.tensor([-3.0]), torch.tensor([-5.0]), torch.tensor([1.0])

    def loss(drift: float) -> float:
        return float(kto(policy, reference, torch.tensor([drift]), good, beta=1.0))

    assert math.isclose(loss(2.0), 0.5, rel_tol=1e-6)
    assert loss(1.0) < loss(2.0)
    assert loss(-3.0) == loss(0.0)


def test_the_drift_carries_no_gradient() -> None:
    drift = torch.tensor([1.0], requires_grad=True)
    policy = torch.tensor([-4.0], requires_grad=True)
    kto(policy, torch.tensor([-5.0]), drift, torch.tensor([1.0]), beta=0.1).sum().backward()
    assert drift.grad is None
