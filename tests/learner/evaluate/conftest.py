"""A small model, adapters for it, and a folder of judged examples, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.npc.prompt import Message
from learner.examples import Example, write_examples
from tests.support.adapters import random_adapter
from tests.support.models import random_model

SMITH = Message("system", "You are Bo, the smith. Voice: gruff.")
REPLIES = ("Aye, the river.", "Well met!", "I do not know.", "Look there.", "No.", "Take [[1]].")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "base.gguf", context=2048)


@pytest.fixture(scope="session")
def adapter(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_adapter(tmp_path_factory.mktemp("adapters") / "adapter.gguf", model, strength=0.3)


def thumb(number: int, good: bool, kind: str = "") -> Example:
    return Example(
        id=f"turn{kind}{number}",
        kind="thumb",
        messages=(SMITH, Message("user", f"ann: where is the river, number {number}")),
        completion=REPLIES[number % len(REPLIES)] + ("!" if good else " ..."),
        label=good,
        rater=f"rater{kind}{number % 7}",
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    for part, count in (("train", 60), ("validation", 8), ("test", 10)):
        write_examples(
            folder / f"{part}.jsonl", [thumb(number, number % 2 == 0, part) for number in range(count)]
        )
    return folder
