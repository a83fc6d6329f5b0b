from __future__ import annotations

import torch

from learner.base.layout import BRANCHES, Family, Layout, arrange, causal


def sights(layout: Layout) -> dict[int, set[int]]:
    """For each position, the positions that it sees."""
    found: dict[int, set[int]] = {}
    used = 0
    for block in layout.blocks:
        count, width = block.queries.shape
        for row in range(count):
            for at in range(width):
                own = (layout.places == used + row * width + at).nonzero().flatten().tolist()
                seen = block.keys[row][block.mask[row, 0, at] == 0].tolist()
                found |= {position: set(seen) for position in own}
        used += count * width
    return found


def test_a_plain_sequence_sees_its_past_and_itself() -> None:
    assert sights(causal(5)) == {at: set(range(at + 1)) for at in range(5)}


def test_branches_see_their_beginning_and_themselves_only() -> None:
    families = [Family((0, 3), ((3, 5), (5, 9))), Family((9, 10), ((10, 12),))]
    seen = sights(arrange(families))
    assert seen[2] == {0, 1, 2}
    assert seen[4] == {0, 1, 2, 3, 4}
    assert seen[6] == {0, 1, 2, 5, 6}
    assert seen[9] == {9}
    assert seen[11] == {9, 10, 11}
    assert set(seen) == set(range(12))


def test_padding_asks_for_something_and_is_dropped() -> None:
    layout = arrange([Family((0, 4), ((4, 5), (5, 12)))])
    assert all(torch.isfinite(block.mask).any(dim=-1).all() for block in layout.blocks)
    assert len(set(layout.places.tolist())) == 12


def test_many_branches_make_several_blocks() -> None:
    branches = tuple((at, at + 1) for at in range(1, 2 * BRANCHES + 2))
    assert len(arrange([Family((0, 1), branches)]).blocks) == 4
