"""The base's own texts come in; the words that anybody may say go out. A player called like one of them
cannot be told from the word.

Never decided by what players say: whoever is talked about most would lose their made-up name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from learner.base.grammar import TEXTS, load_tables

_NAMES = "names"
_OF_PEOPLE = ("player", "npc")
_OF_THINGS = ("material", "thing", "mob", "place")
_WORD = re.compile(r"[^\W\d_]+")


@cache
def ordinary_words() -> frozenset[str]:
    """The words, in lower case: those of things, and those used twice that are nobody's name."""
    files = (path for path in sorted(TEXTS.rglob("*.toml")) if path.stem != _NAMES)
    used = Counter(word for path in files for word in _words(path.read_text(encoding="utf-8")))
    people = {name.lower() for name in _listed(_OF_PEOPLE)}
    things = {word for name in _listed(_OF_THINGS) for word in _words(name)}
    return frozenset({word for word, count in used.items() if count > 1} - people | things)


def _listed(kinds: tuple[str, ...]) -> Iterator[str]:
    tables = load_tables(_NAMES)
    return (name for kind in kinds for part in ("seen", "unseen") for name in tables[kind][part])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
