"""First weights: an empty model and a seed come in; small random weights that can already copy go out.

A circuit of three heads is written into them: one in layer 0 carries each token to its successor, two in
layer 1 look for the successor of an earlier copy of the current token and copy it (an induction circuit,
Olsson et al. 2022, https://arxiv.org/abs/2209.11895). From random weights alone copying takes a small model
millions of tokens to discover. Training is free to change all of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from learner.base.model import Attention, Llama


@torch.no_grad()
def initialise(model: Llama, seed: int) -> None:
    """Fill the weights. Dimension 0 of the embeddings is a constant that the first head goes by, the next
    ones are the tokens' own, and the rest is room for what the first head carries."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            deep = name.endswith(("o_proj.weight", "down_proj.weight"))
            scale = 0.5 / weight.shape[1] ** 0.5 * ((2 * config.layers) ** -0.5 if deep else 1.0)
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
    size = config.hidden // config.heads
    words = config.hidden - size - config.hidden // 8
    embeddings = torch.zeros(config.vocabulary, config.hidden)
    embeddings[:, 0] = 0.35
    embeddings[:, 1:words] = torch.randn(config.vocabulary, words - 1, generator=generator) * 0.05
    embeddings[:, words:] = torch.randn(config.vocabulary, config.hidden - words, generator=generator) * 0.005
    model.model.embed_tokens.weight.copy_(embeddings)
    down = torch.linalg.qr(torch.randn(words - 1, size, generator=generator))[0].T
    _previous_token_head(model, down, words, size)
    _matching_heads(model, down, words, size, generator)


def _clear(attention: Attention, rows: slice) -> None:
    for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
        projection.weight[rows] = 0
    attention.o_proj.weight[:, rows] = 0


def _previous_token_head(model: Llama, down: Tensor, words: int, size: int) -> None:
    attention, half, rows = model.attention(0), size // 2, slice(0, size)
    frequencies = model.config.rope_theta ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    near = (torch.arange(half) < 12).float() * 1.3  # slower pairs cannot tell neighbours apart
    _clear(attention, rows)
    attention.q_proj.weight[:half, 0] = near * frequencies.cos()
    attention.q_proj.weight[half:size, 0] = -near * frequencies.sin()
    attention.k_proj.weight[:half, 0] = near
    attention.v_proj.weight[rows, 1:words] = down
    attention.o_proj.weight[words : words + size, rows] = torch.eye(size) * 0.35


def _matching_heads(model: Llama, down: Tensor, words: int, size: int, generator: torch.Generator) -> None:
    attention, half = model.attention(1), size // 2
    slow = half * 7 // 16  # these pairs hardly turn over a context, so that only the content counts
    columns = [*range(half - slow, half), *range(size - slow, size)]
    copied = torch.linalg.qr(torch.randn(words - 1, words - 1, generator=generator))[0]
    for head in range(2):
        rows = slice(head * size, (head + 1) * size)
        _clear(attention, rows)
        mixed = torch.linalg.qr(torch.randn(size, len(columns), generator=generator))[0].T
        picked = torch.tensor(columns) + head * size
        attention.q_proj.weight[picked, 1:words] = 2.2 * mixed @ down
        attention.k_proj.weight[picked, words : words + size] = 2.2 * mixed
        part = copied[:, head * size : (head + 1) * size].T
        attention.v_proj.weight[rows, 1:words] = part
        attention.o_proj.weight[1:words, rows] = 0.5 * part.T
