"""Cases come in; train, validation and test go out. A player is in one of them only, and those whose turns
are newest (in the median) are tested on: the gate judges players and days that training has not seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from learner.dataset.cases import Case

TESTED_OF = 3
"""No more than one of so many players is tested on for the sake of `test_raters`."""
ROOM = 2.0
"""A player with more than so many times a part's share stays in training, where weights are capped."""


class Split(Struct, frozen=True):
    train: list[Case]
    validation: list[Case]
    test: list[Case]


def split(cases: Sequence[Case], validation_share: float, test_share: float, test_raters: int = 1) -> Split:
    """Fill test and then validation with whole players, those with the newest turns first. At least
    `test_raters` are tested on, but no more than a third of all (`TESTED_OF`) for their sake."""
    by_player: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_player[case.player].append(case)
    middle = {player: median(case.said_at.timestamp() for case in own) for player, own in by_player.items()}
    left = sorted(by_player, key=lambda player: (-middle[player], player))
    chosen: dict[str, set[str]] = {}
    # Those who have to be left for the parts that come after.
    few = min(test_raters, len(by_player) // TESTED_OF)
    for part, share, others, least in (("test", test_share, 2, few), ("validation", validation_share, 1, 1)):
        wanted = share * len(cases)
        chosen[part] = set()
        size = 0
        for player in left[:]:
            own = len(by_player[player])
            if (size >= wanted and len(chosen[part]) >= least) or len(left) <= others:
                break
            full = own if len(chosen[part]) < least else size + own
            if full > ROOM * wanted and own > 1:
                continue
            chosen[part].add(player)
            left.remove(player)
            size += own
        if not chosen[part] and len(left) > others:
            smallest = min(left, key=lambda player: len(by_player[player]))
            chosen[part].add(smallest)
            left.remove(smallest)
    return Split(
        train=[case for case in cases if case.player in left],
        validation=[case for case in cases if case.player in chosen["validation"]],
        test=[case for case in cases if case.player in chosen["test"]],
    )
