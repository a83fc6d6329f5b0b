"""A dataset goes to other trainers as it is, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent_runtime.errors import DatasetError
from learner.dataset.build import build
from learner.dataset.manifest import Manifest
from learner.dataset.share import share


def test_what_was_learned_from_is_what_is_shared(evening: Path, tmp_path: Path) -> None:
    manifest = build(evening / "sealed", tmp_path / "dataset")
    assert isinstance(manifest, Manifest)
    counts = share(tmp_path / "dataset", tmp_path / "out", "Evenings")
    for kind, config in (("thumb", "kto"), ("demonstration", "sft"), ("pair", "dpo")):
        made = {part: manifest.parts[part].examples.get(kind, 0) for part in manifest.parts}
        assert counts[config] == {part: count for part, count in made.items() if count}
    text = (tmp_path / "out" / "kto" / "train.jsonl").read_text()
    assert not [player for player in manifest.players if player in text]
    assert json.loads(text.splitlines()[0])["prompt"][0]["role"] == "system"
    assert manifest.digest in (tmp_path / "out" / "README.md").read_text()


def test_a_changed_dataset_is_not_shared(evening: Path, tmp_path: Path) -> None:
    build(evening / "sealed", tmp_path / "dataset")
    shutil.copy(tmp_path / "dataset" / "test.jsonl", tmp_path / "dataset" / "train.jsonl")
    with pytest.raises(DatasetError, match="not the file that was written"):
        share(tmp_path / "dataset", tmp_path / "out", "Evenings")
    assert not (tmp_path / "out").exists()
