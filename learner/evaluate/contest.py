"""What is compared with what: paths come in, checked examples of the training folder go out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from learner.evaluate.scoring import Contender
from learner.examples import Example, load_examples
from learner.gate.evidence import Evidence

Stage = Callable[[str, int, int], None]
"""Told the name of a stage, and how much of it is done."""


def quiet(name: str, done: int, total: int) -> None:
    """For who wants to be told nothing."""


@dataclass(frozen=True, slots=True)
class Contest:
    """`training` is the folder that the challenger was trained on: a dataset, perhaps with planted secrets.
    `number` is the champion's in the registry."""

    model: Path
    champion: Contender
    number: int
    adapter: Path
    training: Path
    dataset: str = ""
    cases: Path | None = None


@dataclass(frozen=True, slots=True)
class Retrained:
    """An adapter that was trained like the challenger, but without the raters `left_out`."""

    adapter: Path
    left_out: tuple[str, ...]


Retrain = Callable[[Evidence], Retrained | None]
"""Told all that was found: trains once more, or not when that could decide nothing."""


def examples_of(contest: Contest, part: str) -> list[Example]:
    """The examples of one part; none where there is no such file. Raises `DatasetError`."""
    path = contest.training / f"{part}.jsonl"
    return load_examples(path) if path.exists() else []


def some(examples: Sequence[Example], most: int) -> list[Example]:
    """At most so many of them, drawn the same way every time, in their order."""
    if len(examples) <= most:
        return list(examples)
    chosen = sorted(random.Random(most).sample(range(len(examples)), most))
    return [examples[number] for number in chosen]


def part_of(stage: Stage, name: str, total: int, before: int = 0) -> Callable[[int], None]:
    """A stage's progress as a function of what is done."""
    return lambda done: stage(name, before + done, total)
