"""The golden set comes in; which cases share its wording goes out. NPCs are examined on it: nothing of it is
ever learned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agent_runtime.errors import DatasetError
from learner.dataset.cases import Case

RUN = 8
"""Words in a row that make two texts the same, as usual for language models' test sets."""
INSIDE = 5
"""A shorter golden line counts as the same wherever all its words stand in a row, from so many words on."""
WHOLE = 3
"""One that is shorter still only as the whole text; with fewer words than this it is everybody's."""


class _Golden(msgspec.Struct):
    line: str


def golden_lines(folder: Path) -> list[str]:
    """The lines of all cases of the golden set. Raises `DatasetError` when it is not there or not whole:
    unseen, it might be learned."""
    remedy = "install Townsfolk again, or run `make eval-cases` in its checkout"
    lines = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            rows = path.read_bytes().splitlines()
        except OSError as error:
            raise DatasetError(f"{path}: {error.strerror}; {remedy}") from error
        for number, row in enumerate(rows, start=1):
            try:
                lines.append(msgspec.json.decode(row, type=_Golden).line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                what = f"{path}, line {number}: no case of the golden set ({error})"
                raise DatasetError(f"{what}; {remedy}") from error
    if not lines:
        raise DatasetError(f"{folder}: there is no golden set (*.jsonl) to keep out of the dataset; {remedy}")
    return lines


def grams(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of five to eight words, and all words of a text when they are three or four."""
    words = _words(text)
    if WHOLE <= len(words) < INSIDE:
        yield tuple(words)
    for length in range(INSIDE, RUN + 1):
        yield from (tuple(words[start : start + length]) for start in range(len(words) - length + 1))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class Golden:
    """The golden set's wording."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._grams: set[tuple[str, ...]] = set()
        for line in lines:
            words = len(_words(line))
            self._grams |= {gram for gram in grams(line) if len(gram) == min(words, RUN)}

    def reason(self, case: Case) -> str | None:
        """Why a case may not be learned from, or None."""
        shared = self.holds(case.line, case.completion, case.correction)
        return "in the golden set" if shared else None

    def holds(self, *texts: str) -> bool:
        """Whether any of these texts shares its wording."""
        return any(gram in self._grams for text in texts for gram in grams(text))
