"""Replies before and after come in; the phrases that NPCs took up go out, for people to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from learner.clauses import clauses, runs
from learner.gate.evidence import Liked

LENGTHS = (4, 3, 2)
SHOWN = 3
LEAST_GROWTH = 0.05
"""Of all replies: less is chance."""
LEAST_RATERS = 3
"""A phrase in replies to fewer players may be about one of them."""


class Phrase(Struct, frozen=True):
    """Some words in a row, and in which share of the replies they stand before and after."""

    words: str
    before: float
    after: float


def taken_up(rows: Sequence[Liked]) -> list[Phrase]:
    """The phrases that grew most, the longest of those that grew alike, none twice."""
    before: defaultdict[str, int] = defaultdict(int)
    after: defaultdict[str, int] = defaultdict(int)
    raters: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for phrase in set(_phrases(row.champion_reply)):
            before[phrase] += 1
        for phrase in set(_phrases(row.challenger_reply)):
            after[phrase] += 1
            raters[phrase].add(row.rater)
    grown = [
        phrase
        for phrase in after
        if after[phrase] - before[phrase] >= LEAST_GROWTH * len(rows) and len(raters[phrase]) >= LEAST_RATERS
    ]
    grown.sort(key=lambda phrase: (before[phrase] - after[phrase], -len(phrase.split()), phrase))
    shown: list[str] = []
    for phrase in grown:
        if len(shown) < SHOWN and not any(_share_words(phrase, other) for other in shown):
            shown.append(phrase)
    return [Phrase(phrase, before[phrase] / len(rows), after[phrase] / len(rows)) for phrase in shown]


def _phrases(reply: str) -> Iterable[str]:
    """Runs of words within a clause."""
    for words in clauses(reply):
        for length in LENGTHS:
            yield from runs(words, length)


def _share_words(one: str, other: str) -> bool:
    return len(set(one.split()) & set(other.split())) >= 2 or one in other or other in one
