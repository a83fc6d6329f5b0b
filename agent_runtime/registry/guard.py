"""Does a new version misbehave? Its first turns and those of its predecessor come in, a complaint goes out,
or nothing.

Pure. Counts are compared by the exact binomial tail, so that a few unlucky turns are no complaint and a
version that does everything wrong is caught within five.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct, field

KEPT_TIMES = 200
ENOUGH_TIMES = 30
ENOUGH_TURNS = 30
SLOWER_MS = 250.0
"""So much more is never called slow, whatever the ratio."""
FORGIVEN_AFTER = 30
"""So many turns answered since a crash, and it is no longer one of several in a row."""
UNLIKELY = 1e-4
"""A run of bad turns less likely than this, at the rate that is borne, is no accident."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`turns` that a version is watched; the `margin` of bad turns that is borne above the predecessor's
    share; how many times `slower` than the predecessor's p95 first words are late; how many `crashes` of the
    process in a row are too many."""

    turns: int
    margin: float
    slower: float
    crashes: int


class FirstWords(Struct, frozen=True, array_like=True):
    """How long the first words of a turn took, in milliseconds, and how many turns began about then."""

    ms: float
    crowd: Annotated[int, Meta(ge=1)]


class Tally(Struct):
    """What a version did so far. `faults` are turns with a malformed or forbidden action, `failures` turns in
    which the engine failed or the model said nothing, `endless` turns that ran into the limit of tokens;
    `crashes` are those in a row, with the turns `answered` since the last one; of the first words the latest
    ones are kept."""

    turns: int = 0
    faults: int = 0
    failures: int = 0
    endless: int = 0
    crashes: int = 0
    answered: int = 0
    first_words: list[FirstWords] = field(default_factory=list)

    def note(self, *, fault: bool, failure: bool, endless: bool, first_words: FirstWords | None) -> None:
        """One more turn."""
        self.turns += 1
        self.faults += fault
        self.failures += failure
        self.endless += endless
        self.answered += not failure
        if self.answered >= FORGIVEN_AFTER:
            self.crashes = 0
        if first_words is not None:
            self.first_words = [*self.first_words[1 - KEPT_TIMES :], first_words]

    def crash(self) -> None:
        """The process, or that of its engine, ended without a word."""
        self.crashes += 1
        self.answered = 0


def complaint(tally: Tally, before: Tally, limits: Limits) -> str | None:
    """What is wrong with a version in comparison with the one before it, in words; None when nothing is, or
    when it has been watched long enough."""
    if tally.turns >= limits.turns:
        return None
    if tally.crashes >= limits.crashes:
        return (
            f"the runtime or its engine ended without a word {tally.crashes} times in a row while it served"
        )
    for what, count, earlier in (
        ("malformed or forbidden actions", tally.faults, before.faults),
        ("turns without an answer", tally.failures, before.failures),
        # How many are usual depends on the personas' limits, which the predecessor's turns tell.
        ("turns that did not end", tally.endless if before.turns >= ENOUGH_TURNS else 0, before.endless),
    ):
        if _is_worse(count, tally.turns, earlier, before.turns, limits.margin):
            return f"{what}: {count} of {tally.turns} turns (before: {earlier} of {before.turns})"
    if min(len(tally.first_words), len(before.first_words)) < ENOUGH_TIMES:
        return None
    late = _late_after(before, limits.slower)
    (count, turns), (earlier, of) = _late(tally, late), _late(before, late)
    if _is_worse(count, turns, earlier, of, limits.margin):
        return f"late first words: {count} of {turns} turns (before: {earlier} of {of})"
    return None


def _late_after(before: Tally, slower: float) -> dict[int, float]:
    """After how many ms first words are late, by how many talk: of those turns of the predecessor at which as
    many or more did. A morning says little about an evening. The share of turns beyond is compared, not the
    p95 itself, which of thirty turns is what the slowest two happened to take."""
    times, found = list[float](), {}
    for one in sorted(before.first_words, key=lambda one: one.crowd, reverse=True):
        insort(times, one.ms)
        if len(times) >= ENOUGH_TIMES:
            p95 = times[math.ceil(0.95 * len(times)) - 1]
            found[one.crowd] = max(p95 * slower, p95 + SLOWER_MS)
    return found


def _late(tally: Tally, late: dict[int, float]) -> tuple[int, int]:
    """How many first words were late, and of how many."""
    known = sorted(late)
    count = 0
    for one in tally.first_words:
        crowd = known[min(bisect_left(known, one.crowd), len(known) - 1)]
        # An engine that twice as many share takes twice as long at most.
        count += one.ms > late[crowd] * max(1.0, one.crowd / crowd)
    return count, len(tally.first_words)


def _is_worse(count: int, turns: int, earlier: int, before: int, margin: float) -> bool:
    """Whether so many bad turns are no accident where `earlier` of the `before` turns were bad."""
    # Of a predecessor that hardly served, one bad turn does not make bad turns usual.
    borne = min(1.0, earlier / max(before, ENOUGH_TURNS) + margin)
    return count > borne * turns and _at_least(count, turns, borne) < UNLIKELY


def _at_least(count: int, turns: int, share: float) -> float:
    """The probability of `count` or more of `turns`, each with the probability `share`; `count` is more than
    that makes on average. In floats throughout: at a thousand turns the binomials alone are too large."""
    if not 0 < share < 1:
        return share
    odds, left = share / (1 - share), turns - count
    ways = math.lgamma(turns + 1) - math.lgamma(count + 1) - math.lgamma(left + 1)
    term = math.exp(ways + count * math.log(share) + left * math.log1p(-share))
    total = 0.0
    for number in range(count, turns + 1):
        total += term
        term *= odds * (turns - number) / (number + 1)
        if term < total * 1e-12:  # each is smaller than the one before
            break
    return total
