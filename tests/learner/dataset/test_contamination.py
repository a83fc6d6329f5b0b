"""Nothing of the golden set is learned, and what only resembles it may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.config import share_dir
from agent_runtime.errors import DatasetError
from learner.dataset.contamination import Golden, golden_lines
from tests.support.cases import case

GOLDEN = Golden(
    [
        "any chance you know what a steel pickaxe takes?",
        "what do my fingers grip?",
        "where is the river",
        "who are you",
        "hello there",
    ]
)


def reason(**fields: str) -> str | None:
    return GOLDEN.reason(case(1, **fields))


def test_a_golden_line_is_never_learned() -> None:
    said = "in the golden set"
    assert reason(line="Any chance you know, what a STEEL pickaxe takes??") == said
    assert reason(line="well, any chance you know what a steel pickaxe takes today") == said
    assert reason(line="What do my fingers grip?") == said
    assert reason(line="Where is the river?") == said
    assert reason(line="WHO are you?") == said
    assert reason(completion="You ask: any chance you know what a steel pickaxe takes.") == said
    assert reason(correction="where is the river") == said


def test_any_text_can_be_asked_about() -> None:
    assert GOLDEN.holds("nothing", "Where is the river?")
    assert not GOLDEN.holds("nothing", "hello there")


def test_a_golden_line_of_five_words_or_more_is_found_among_other_words() -> None:
    said = "in the golden set"
    assert reason(line="hey there Mira, what do my fingers grip? thank you so much") == said
    assert reason(completion="You ask what do my fingers grip.") == said
    assert reason(line="what do my hands grip, and what do my cold fingers hold") is None


def test_ordinary_words_in_common_are_nothing() -> None:
    assert reason(line="hello there") is None, "two words are everybody's"
    assert reason(line="mira, who are you?") is None
    assert reason(line="what does a steel pickaxe take") is None
    assert reason(line="where is the river, and who built the bridge over it so long ago") is None


def test_the_shipped_golden_set_is_read() -> None:
    lines = golden_lines(share_dir() / "data" / "eval")
    assert len(lines) > 1000
    golden = Golden(lines)
    assert sum(golden.holds(line) for line in lines) > 0.97 * len(lines)
    assert sum(golden.holds(f"hey there Ada, {line} thank you") for line in lines) > 0.85 * len(lines)


def test_what_everybody_says_may_be_learned() -> None:
    golden = Golden(golden_lines(share_dir() / "data" / "eval"))
    for line in ("Hello!", "Good evening, Mira", "what do you sell?", "where is the mill?"):
        assert not golden.holds(line), line


def test_without_a_golden_set_there_is_no_check_and_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no golden set .*\*\.jsonl"):
        golden_lines(tmp_path / "nowhere")
    (tmp_path / "talk.jsonl").write_text("")
    with pytest.raises(DatasetError, match="no golden set"):
        golden_lines(tmp_path)


@pytest.mark.parametrize("row", ['{"line": 5}', '{"id": "talk-2"}', '{"line": "he', b"\xff", ""])
def test_a_broken_row_of_the_golden_set_is_named(tmp_path: Path, row: str | bytes) -> None:
    broken = row if isinstance(row, bytes) else row.encode()
    (tmp_path / "talk.jsonl").write_bytes(b'{"line": "hello"}\n' + broken + b'\n{"line": "bye"}\n')
    with pytest.raises(DatasetError, match=r"talk\.jsonl, line 2: .*make eval-cases"):
        golden_lines(tmp_path)
