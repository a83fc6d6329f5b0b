"""What training reads: one rated or demonstrated reply per line of JSON, with the prompt it answers.

`learner/dataset` writes these files, `learner/train` and the gate read them; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from agent_runtime.errors import DatasetError
from agent_runtime.npc.prompt import Message

Kind = Literal["demonstration", "thumb", "pair", "replay"]


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reply and what is known about it.

    `completion` is the model's own wording (references and actions included). A `thumb` has a `label`
    (good or bad), a `pair` a `rejected` completion to the same messages; a `demonstration` (a correction, a
    well-rated turn) and a `replay` have neither. `weight` is the rater's share after capping, `rater` the
    pseudonym, empty for replay, and `rejected_rater` the one of who judged the rejected reply; `taken` is the
    turn's time in seconds since 1970.
    """

    id: str
    kind: Kind
    messages: tuple[Message, ...]
    completion: str
    label: bool | None = None
    rejected: str | None = None
    weight: float = 1.0
    rater: str = ""
    rejected_rater: str = ""
    slice: str = ""
    taken: float = 0.0

    @property
    def raters(self) -> tuple[str, ...]:
        """Whose judgements made it; none for replay."""
        return tuple(dict.fromkeys(filter(None, (self.rater, self.rejected_rater))))


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write one line per example; returns how many."""
    count = 0
    with path.open("wb") as file:
        for example in examples:
            file.write(msgspec.json.encode(example) + b"\n")
            count += 1
    return count


def load_examples(path: Path) -> list[Example]:
    """All examples of a file. Raises `DatasetError`."""
    try:
        return list(read_examples(path))
    except (OSError, msgspec.DecodeError) as error:
        raise DatasetError(f"{path}: {error}; make the dataset again") from error


def read_examples(path: Path) -> Iterator[Example]:
    """The examples of a file, one by one. Raises `msgspec.ValidationError` for a broken line."""
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield msgspec.json.decode(line, type=Example)
