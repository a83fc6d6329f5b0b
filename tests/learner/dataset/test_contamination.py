"""Nothing of the golden set is learned, and what only resembles it may be."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.config import share_dir
from learner.dataset.contamination import Golden, golden_lines
from tests.support.cases import case

GOLDEN = Golden(
    ["any chance you know what a steel pickaxe takes?", "where is the river", "hello there", "who are you"]
)


def reason(**fields: str) -> str | None:
    return GOLDEN.reason(case(1, **fields))


def test_a_golden_line_is_never_learned() -> None:
    said = "in the golden set"
    assert reason(line="Any chance you know, what a STEEL pickaxe takes??") == said
    assert reason(line="well, any chance you know what a steel pickaxe takes today") == said
    assert reason(line="Where is the river?") == said
    assert reason(completion="You ask: any chance you know what a steel pickaxe takes.") == said
    assert reason(correction="where is the river") == said


def test_any_text_can_be_asked_about() -> None:
    assert GOLDEN.holds("nothing", "Where is the river?")
    assert not GOLDEN.holds("nothing", "hello there")


def test_ordinary_words_in_common_are_nothing() -> None:
    assert reason(line="hello there") is None, "three words are everybody's"
    assert reason(line="what does a steel pickaxe take") is None
    assert reason(line="where is the river, and who built the bridge over it so long ago") is None


def test_the_shipped_golden_set_is_read() -> None:
    lines = golden_lines(share_dir() / "data" / "eval")
    assert len(lines) > 1000
    assert Golden(lines).reason(case(1, line=max(lines, key=len))) is not None
    assert golden_lines(Path("/nowhere")) == []
