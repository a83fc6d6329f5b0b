"""Examples survive the way through a file, and a broken line is named."""

from pathlib import Path

import msgspec
import pytest

from agent_runtime.npc.prompt import Message
from learner.examples import Example, read_examples, write_examples


def test_what_is_written_is_read(tmp_path: Path) -> None:
    examples = [
        Example(
            "1", "thumb", (Message("user", "ann: grüße"),), "Hello [[1]].", label=True, rater="p1", taken=1.5
        ),
        Example("2", "pair", (Message("user", "x"),), "good", rejected="bad", weight=0.25),
    ]
    path = tmp_path / "train.jsonl"
    assert write_examples(path, examples) == 2
    assert list(read_examples(path)) == examples


def test_a_broken_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"id": "1", "kind": "gossip", "messages": [], "completion": ""}\n')
    with pytest.raises(msgspec.ValidationError, match="gossip"):
        list(read_examples(path))
