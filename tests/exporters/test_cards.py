"""A dataset's card: a YAML head that hubs can read, and nothing in it that was not counted."""

from __future__ import annotations

import yaml

from exporters.cards import DatasetFacts, dataset_card

STEPS = [("ratings", 90, {"weak or neutral": 7, "changed later": 3}), ("contamination", 90, {})]
FACTS = DatasetFacts('River "evenings"', "d" * 64, "snap", 12, STEPS, {"name": 40, "link": 2}, ["en", "de"])
COUNTS = {"kto": {"train": 800, "test": 100}, "sft": {"train": 300}}


def test_the_head_names_every_file() -> None:
    _, head, body = dataset_card(FACTS, COUNTS, "parquet").split("---\n", 2)
    read = yaml.safe_load(head)
    assert read["pretty_name"] == 'River "evenings"'
    assert read["language"] == ["en", "de"]
    assert read["size_categories"] == ["1K<n<10K"]
    assert read["configs"] == [
        {
            "config_name": "kto",
            "data_files": [
                {"split": "train", "path": "kto/train.parquet"},
                {"split": "test", "path": "kto/test.parquet"},
            ],
        },
        {"config_name": "sft", "data_files": [{"split": "train", "path": "sft/train.parquet"}]},
    ]
    assert body.startswith('\n# River "evenings"')


def test_the_body_tells_what_was_left_out() -> None:
    card = dataset_card(FACTS, COUNTS, "jsonl")
    assert "judged by 12 players" in card
    assert "| `kto` | 800 | 100 |" in card
    assert "| `sft` | 300 | 0 |" in card
    assert "| ratings | 90 | 7 weak or neutral, 3 changed later |" in card
    assert "| contamination | 90 | none |" in card
    assert "40 of kind name, 2 of kind link" in card
    assert "`dpo`" not in card
    assert f"`{'d' * 64}`" in card
