"""Who judged, and how far to believe them: judgements come in; which of them wait, how well players agree,
and how much each may weigh go out. The player is the unit of evidence: one person is never a crowd.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from learner.clauses import clauses, runs
from learner.dataset.cases import Case
from learner.dataset.settings import RaterSettings

_RUN = 4
_ROUNDS = 100
_LEAST = 0.01
"""A pair that may weigh no more is left out."""

Reason = Literal["new account", "burst", "disagrees with the others", "pushes words that few want"]
"""Why judgements wait."""


class Rater(Struct, frozen=True):
    """One player in the report: how many judgements came and how many wait, and with how many of the other
    players' judgements of the same replies they agree."""

    judgements: int
    quarantined: dict[str, int]
    shared: int
    agreed: int


def newcomers(first_seen: Mapping[str, datetime], now: datetime, hours: float) -> set[str]:
    """Players who first talked less than so many hours before `now`."""
    return {player for player, first in first_seen.items() if now - first < timedelta(hours=hours)}


def bursts(cases: Iterable[Case], most: int, minutes: float) -> set[str]:
    """The turns of all judgements that lie, with at least `most` of the same player's, in one window."""
    by_player: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_player[case.player].append(case)
    found = set()
    for given in by_player.values():
        given.sort(key=lambda case: (case.at, case.turn))
        for last in range(most - 1, len(given)):
            window = given[last - most + 1 : last + 1]
            if window[-1].at - window[0].at <= timedelta(minutes=minutes):
                found |= {case.turn for case in window}
    return found


def agreement(cases: Iterable[Case]) -> dict[str, tuple[int, int]]:
    """For each player: with how many judgements of others theirs share a reply (same NPC, same words), and
    with how many of those they agree."""
    votes: defaultdict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for case in cases:
        if case.good is not None:
            votes[case.system, case.completion][case.player] = case.good
    counts: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for given in votes.values():
        for player, good in given.items():
            others = [vote for other, vote in given.items() if other != player]
            shared, agreed = counts[player]
            counts[player] = shared + len(others), agreed + others.count(good)
    return dict(counts)


def pushers(cases: Sequence[Case], least: int, share: float) -> set[str]:
    """Players who wrote the same words, which the replies did not have, into at least so many corrections
    between them, and who are fewer than this share of all who judged. Two who want the same are no few on a
    small server."""
    written: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        for words in _runs(case.correction) - _runs(case.completion):
            written[words][case.player] += 1
    crowd = max(2, math.ceil(share * len({case.player for case in cases})))
    return {
        player
        for by_player in written.values()
        if len(by_player) < crowd and by_player.total() >= least
        for player, count in by_player.items()
        if count > 1
    }


def _runs(text: str) -> set[str]:
    """All runs of so many words within a clause, or the whole of a shorter one."""
    return {run for words in clauses(text) for run in runs(words, min(_RUN, len(words)))}


def quarantine(
    cases: Sequence[Case], first_seen: Mapping[str, datetime], now: datetime, settings: RaterSettings
) -> dict[str, Reason]:
    """The turns whose judgements wait, each with the reason. They may count in a later night."""
    new = newcomers(first_seen, now, settings.new_account_hours)
    hasty = bursts(cases, settings.burst_judgements, settings.burst_minutes)
    contrary = {
        player
        for player, (shared, agreed) in agreement(cases).items()
        if shared >= settings.contrary_least and agreed <= settings.contrary_share * shared
    }
    pushing = pushers(cases, settings.pushed_least, settings.pushed_share)
    reasons: dict[str, Reason] = {}
    for case in cases:
        if case.player in new:
            reasons[case.turn] = "new account"
        elif case.turn in hasty:
            reasons[case.turn] = "burst"
        elif case.player in contrary:
            reasons[case.turn] = "disagrees with the others"
        elif case.player in pushing:
            reasons[case.turn] = "pushes words that few want"
    return reasons


def report(cases: Sequence[Case], waiting: Mapping[str, str]) -> dict[str, Rater]:
    """Every player who judged."""
    counts: defaultdict[str, int] = defaultdict(int)
    held: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for case in cases:
        counts[case.player] += 1
        if case.turn in waiting:
            held[case.player][waiting[case.turn]] += 1
    shared = agreement(cases)
    return {
        player: Rater(counts[player], dict(held[player]), *shared.get(player, (0, 0)))
        for player in sorted(counts)
    }


def weights(counts: Mapping[str, int], cap: float) -> dict[str, float]:
    """The weight of one example of each player, at most 1: no player's examples weigh together more than
    `cap` of all; with fewer players than 1 / cap, all players weigh the same."""
    if not counts:
        return {}
    ceiling = _ceiling(sorted(counts.values(), reverse=True), cap)
    return {player: min(1.0, ceiling / count) for player, count in counts.items()}


def pair_weights(pairs: Sequence[Sequence[str]], cap: float) -> list[float]:
    """The weight of each pair, at most 1, from who judged its replies, one player or two: half of it is each
    one's, and nobody has more than `cap` of all, or twice an equal part where that is more. Where one player
    is part of so many that this cannot be, theirs weigh nothing: their thumbs still count."""
    heard = {player: 1.0 for pair in pairs for player in pair}
    ceiling = max(cap, 2 / max(1, len(heard)))
    given: list[float] = []
    for _ in range(_ROUNDS):
        given = [min(heard[player] for player in pair) for pair in pairs]
        held: defaultdict[str, float] = defaultdict(float)
        for pair, weight in zip(pairs, given, strict=True):
            for player in pair:
                held[player] += weight / len(pair)
        most = ceiling * sum(given)
        over = {player: part for player, part in held.items() if part > most * 1.0001}
        if not over:
            break
        for player, part in over.items():
            heard[player] *= most / part
    return [weight if weight >= _LEAST else 0.0 for weight in given]


def _ceiling(counts: Sequence[int], cap: float) -> float:
    """The weight that nobody may pass, from counts in falling order: with k players at the ceiling c and the
    rest below it, c = cap * (k * c + rest)."""
    rest = sum(counts)
    for above, count in enumerate(counts):
        room = 1 - cap * above
        if room <= 0:
            break
        ceiling = cap * rest / room
        if count <= ceiling:
            return ceiling
        rest -= count
    return float(counts[-1])
