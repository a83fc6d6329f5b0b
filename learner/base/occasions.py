"""What a line of small talk answers: a reply and a voice come in; how well it fits each of the occasions that
this voice has lines for (a greeting, a farewell, thanks, …) goes out."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache

from learner.base.grammar import ENGLISH, voices

MARGIN = 0.1
"""Occasions share phrases: by how much another one may fit better."""
_FRAME = ("address", "openers", "closers")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def fits(words: str, voice: str, language: str = ENGLISH) -> dict[str, float]:
    """By occasion, from 0 to 1: the share of the reply's words that one line of the occasion has, rare words
    counting more."""
    lines, weights = _lines(voice, language)
    said = _words(words)
    whole = sum(weights.get(word, max(weights.values())) for word in said) or 1.0
    return {
        occasion: max(sum(weights[word] for word in said & line) for line in patterns) / whole
        for occasion, patterns in lines.items()
    }


def answers(words: str, occasion: str, voice: str) -> bool:
    """Whether the reply fits this occasion as well as any other."""
    found = fits(words, voice)
    return found[occasion] >= max(found.values()) - MARGIN


@cache
def _lines(voice: str, language: str) -> tuple[dict[str, list[frozenset[str]]], dict[str, float]]:
    """The words of each line by occasion, and what a word weighs: the fewer occasions have it, the more."""
    found = {
        occasion: [_words(pattern) for pattern in patterns]
        for occasion, patterns in voices(language)[voice].items()
        if occasion not in _FRAME
    }
    common = Counter(word for lines in found.values() for word in frozenset().union(*lines))
    return found, {word: math.log(1 + len(found) / count) - math.log(2) for word, count in common.items()}


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
