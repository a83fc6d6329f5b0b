"""Names that a hurried player mistyped: the words that names consist of come in once, a word of a line
comes in again and again; the word that was meant goes out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

SHORTEST = 5
"""Shorter words have too many neighbours one slip away."""


class Spelling:
    """The words of some names."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        self._by_start: defaultdict[str, list[str]] = defaultdict(list)
        for word in sorted(self._words):
            if len(word) >= SHORTEST:
                self._by_start[word[0]].append(word)

    def correct(self, word: str) -> str:
        """The word of a name that this one is one slip of the fingers away from, or the word itself."""
        if len(word) < SHORTEST or word in self._words:
            return word
        return next((known for known in self._by_start[word[0]] if one_slip(word, known)), word)


def one_slip(first: str, second: str) -> bool:
    """Whether two different words are one letter more, less or other apart, or two neighbours swapped."""
    short, long = sorted((first, second), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1] + short[start + 2 :]
    return short[start + 1 :] == long[start + 1 :] or swapped == long[start:]
