"""Losses over sequence log-probabilities: tensors come in, one loss per example goes out.

Nothing here knows a model. `policy` and `reference` are sums of log-probabilities over a reply's tokens,
shape (examples,); the reference is the base without its adapter.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def dpo(
    chosen: Tensor, rejected: Tensor, reference: Tensor, reference_rejected: Tensor, beta: float
) -> Tensor:
    """Direct preference optimisation (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290, eq. 7)."""
    margin = (chosen - reference) - (rejected - reference_rejected)
    return -F.logsigmoid(beta * margin)


def kto(policy: Tensor, reference: Tensor, drift: Tensor, label: Tensor, beta: float) -> Tensor:
    """Kahneman–Tversky optimisation (Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306, eq. 8).

    `label` is 1 for a good reply and 0 for a bad one. `drift` is policy minus reference of replies to
    other prompts: its mean, never below 0, is how far the policy has moved in general. It carries no
    gradient.
    """
    point = drift.detach().mean().clamp(min=0)
    gain = (policy - reference) - point
    return 1 - (beta * gain * (2 * label - 1)).sigmoid()
