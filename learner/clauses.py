"""What was said comes in; its words go out, clause by clause, to find the same words said again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_BETWEEN = re.compile(r"\[\[[^\]]*\]\]|[.!?…;:,]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


def clauses(text: str) -> Iterator[list[str]]:
    """The words of each clause in small letters, without tags and actions."""
    for clause in _BETWEEN.split(text.lower()):
        if words := _WORD.findall(clause):
            yield words


def runs(words: Sequence[str], length: int) -> Iterator[str]:
    """All so many words in a row; none of a clause that is shorter."""
    for start in range(len(words) - length + 1):
        yield " ".join(words[start : start + length])
