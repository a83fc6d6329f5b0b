"""The golden set comes in; which cases share its wording goes out. NPCs are examined on it: nothing of it is
ever learned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from learner.dataset.cases import Case

RUN = 8
"""Words in a row that make two texts the same, as usual for language models' test sets."""
WHOLE = 4
"""A shorter line counts as the same when it has at least so many words and all are equal."""


class _Golden(msgspec.Struct):
    line: str


def golden_lines(folder: Path) -> list[str]:
    """The lines of all cases of the golden set."""
    return [
        msgspec.json.decode(row, type=_Golden).line
        for path in sorted(folder.glob("*.jsonl"))
        for row in path.read_bytes().splitlines()
    ]


def grams(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of eight words; of a shorter text all its words, when they are four or more."""
    words = re.findall(r"\w+", text.lower())
    if len(words) >= RUN:
        yield from (tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1))
    elif len(words) >= WHOLE:
        yield tuple(words)


class Golden:
    """The golden set's wording."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._grams = {gram for line in lines for gram in grams(line)}

    def reason(self, case: Case) -> str | None:
        """Why a case may not be learned from, or None."""
        shared = self.holds(case.line, case.completion, case.correction)
        return "in the golden set" if shared else None

    def holds(self, *texts: str) -> bool:
        """Whether any of these texts shares its wording."""
        return any(gram in self._grams for text in texts for gram in grams(text))
