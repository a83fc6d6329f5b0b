"""Which positions may attend to which: rows of one shared beginning with branches come in; blocks of
queries and keys go out, so that attention is computed only where it may go.

Everything but attention works on one flat sequence of positions. A block gathers a few queries and the keys
they may see; `places` puts the answers of all blocks back in the order of the positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

BRANCHES = 8  # in one block: few, so that branches of like length stand together
WIDE_BRANCHES = 64  # where starting a product costs more than padding

Span = tuple[int, int]
"""The first position and the one behind the last."""


class Block(NamedTuple):
    """Positions that ask (n, t), positions that they may see (n, k), and the mask (n, 1, t, k): 0 or -inf."""

    queries: Tensor
    keys: Tensor
    mask: Tensor


class Layout(NamedTuple):
    """All blocks, and for each position (length,) its place among the answers of all blocks."""

    blocks: tuple[Block, ...]
    places: Tensor

    def to(self, device: torch.device) -> Layout:
        """The same on another device."""
        blocks = (Block(*(tensor.to(device) for tensor in block)) for block in self.blocks)
        return Layout(tuple(blocks), self.places.to(device))


class Family(NamedTuple):
    """A shared beginning and the branches that each continue it."""

    shared: Span
    branches: tuple[Span, ...]


def causal(length: int) -> Layout:
    """One plain sequence."""
    return arrange([Family((0, length), ())])


def arrange(families: Sequence[Family], together: int = BRANCHES) -> Layout:
    """Blocks for families that follow each other without a gap: one for all shared beginnings, and some
    for branches of like length, so many in each."""
    blocks, places = [], torch.empty(max(_ends(families)), dtype=torch.long)
    nothing = (0, 0)
    pairs = sorted(
        ((family.shared, branch) for family in families for branch in family.branches),
        key=lambda pair: pair[1][1] - pair[1][0],
    )
    groups = [[(nothing, family.shared) for family in families]]
    groups += [pairs[start : start + together] for start in range(0, len(pairs), together)]
    used = 0
    for group in groups:
        block = _block(group)
        blocks.append(block)
        width = block.queries.shape[1]
        for number, (_, (start, end)) in enumerate(group):
            places[start:end] = torch.arange(end - start) + used + number * width
        used += block.queries.numel()
    return Layout(tuple(blocks), places)


def _ends(families: Sequence[Family]) -> list[int]:
    return [span[1] for family in families for span in (family.shared, *family.branches)]


def _block(group: Sequence[tuple[Span, Span]]) -> Block:
    """Each pair is what comes before, seen in full, and what asks, seen up to itself."""
    before, seen_before = _padded([pair[0] for pair in group])
    queries, own = _padded([pair[1] for pair in group])
    width = queries.shape[1]
    seen = torch.ones(width, width, dtype=torch.bool).tril() & own[:, None, :]
    allowed = torch.cat((seen_before[:, None, :].expand(-1, width, -1), seen), dim=2)
    allowed = allowed | ~own[:, :, None]
    mask = torch.zeros(allowed.shape).masked_fill_(~allowed, float("-inf"))
    return Block(queries, torch.cat((before, queries), dim=1), mask[:, None])


def _padded(spans: Sequence[Span]) -> tuple[Tensor, Tensor]:
    """The positions of each span, padded with 0 on the right, and which of them are no padding."""
    lengths = torch.tensor([end - start for start, end in spans])
    steps = torch.arange(int(lengths.max()))
    real = steps < lengths[:, None]
    starts = torch.tensor([start for start, _ in spans])
    return torch.where(real, starts[:, None] + steps, 0), real
