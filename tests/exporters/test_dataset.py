"""Exported datasets: the formats that other trainers read, whole or not at all, nothing about the raters."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from agent_runtime.errors import ExportError
from agent_runtime.npc.prompt import Message
from exporters.cards import DatasetFacts
from exporters.dataset import export_dataset
from learner.examples import Example

FACTS = DatasetFacts("Evenings", "d" * 64, "20261120T180000Z-abc", 3, [("ratings", 4, {"weak": 1})], {})
PROMPT = (Message("system", "You are Mira."), Message("user", "ann: grüße"))
ROWS = [{"role": "system", "content": "You are Mira."}, {"role": "user", "content": "ann: grüße"}]
EXAMPLES = [
    Example("1", "thumb", PROMPT, "Hello [[1]].", label=False, weight=0.5, rater="f00d", taken=1.5),
    Example("2", "pair", PROMPT, "good", rejected="bad", rater="f00d"),
    Example("3", "demonstration", PROMPT, "=1+1", rater="f00d"),
    Example("4", "replay", PROMPT, "old news"),
]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_kind_has_its_format(tmp_path: Path) -> None:
    counts = export_dataset({"train": EXAMPLES, "test": EXAMPLES[:1]}, FACTS, tmp_path / "out")
    assert counts == {"kto": {"train": 1, "test": 1}, "dpo": {"train": 1}, "sft": {"train": 1}}
    said = [{"role": "assistant", "content": "Hello [[1]]."}]
    assert lines(tmp_path / "out/kto/train.jsonl") == [
        {"prompt": ROWS, "completion": said, "label": False, "weight": 0.5}
    ]
    (pair,) = lines(tmp_path / "out/dpo/train.jsonl")
    assert (pair["prompt"], pair["chosen"], pair["rejected"]) == (
        ROWS,
        [{"role": "assistant", "content": "good"}],
        [{"role": "assistant", "content": "bad"}],
    )
    (shown,) = lines(tmp_path / "out/sft/train.jsonl")
    assert shown["messages"] == [*ROWS, {"role": "assistant", "content": "=1+1"}]


def test_raters_times_and_replay_stay_behind(tmp_path: Path) -> None:
    export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "out")
    text = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.*"))
    assert "f00d" not in text
    assert "old news" not in text
    assert "taken" not in text


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "jsonl")
    export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "parquet", "parquet")
    for config in ("sft", "kto", "dpo"):
        relation = duckdb.read_parquet(str(tmp_path / f"parquet/{config}/train.parquet"))
        found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        assert found == lines(tmp_path / f"jsonl/{config}/train.jsonl")
    assert not list((tmp_path / "parquet").rglob("*.jsonl"))


def test_nothing_is_overwritten_and_nothing_is_left_half_done(tmp_path: Path) -> None:
    export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "out")
    with pytest.raises(ExportError, match="is there already"):
        export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "out")
    with pytest.raises(ExportError, match="nothing to export"):
        export_dataset({"train": EXAMPLES[3:]}, FACTS, tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="choose another folder"):
        export_dataset({"train": EXAMPLES}, FACTS, tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "out"]
