"""A dataset goes to other trainers as it is, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_runtime.errors import DatasetError
from agent_runtime.journal.sealed import Scope
from agent_runtime.journal.source import open_source
from learner.cli import app
from learner.dataset.build import build
from learner.dataset.manifest import Manifest
from learner.dataset.settings import DatasetSettings
from learner.dataset.share import share, share_now
from learner.dataset.shortage import TooLittle


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


def test_the_command_writes_what_could_be_learned_now(
    evening: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWNSFOLK_HOME", str(evening))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["dataset", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    monkeypatch.setenv("TOWNSFOLK_LEARN__NEW_ACCOUNT_H", "0")
    said = run(str(tmp_path / "out"), "--format", "parquet", "--name", "Evenings")
    assert f"{tmp_path / 'out' / 'kto'}: " in said
    assert (tmp_path / "out" / "kto" / "test.parquet").is_file()
    assert "# Evenings" in (tmp_path / "out" / "README.md").read_text()
    monkeypatch.setenv("TOWNSFOLK_LEARN__MIN_RATERS", "33")
    assert "more raters" in run(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_nothing_in_between_is_kept(evening: Path, tmp_path: Path) -> None:
    before = set(evening.rglob("*"))
    with open_source(evening / "journal.duckdb") as source:
        found = share_now(source, Scope(), DatasetSettings(min_raters=99), (), tmp_path / "out", "Evenings")
    assert isinstance(found, TooLittle)
    assert set(evening.rglob("*")) - before <= {evening / "snapshots"}


def test_a_changed_dataset_is_not_shared(evening: Path, tmp_path: Path) -> None:
    build(evening / "sealed", tmp_path / "dataset")
    shutil.copy(tmp_path / "dataset" / "test.jsonl", tmp_path / "dataset" / "train.jsonl")
    with pytest.raises(DatasetError, match="not the file that was written"):
        share(tmp_path / "dataset", tmp_path / "out", "Evenings")
    assert not (tmp_path / "out").exists()
