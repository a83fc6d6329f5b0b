"""The second training of a night, killed and taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from msgspec import Struct
from rich.console import Console

from exporters.gguf import export_base
from learner.evaluate.contest import quiet
from learner.examples import load_examples
from learner.job.retraining import train_without
from learner.job.run import run
from learner.job.work import TRAINING, Ends, Night
from learner.train.profiles import FOLDER
from tests.support import nights
from tests.support.tiny_bases import tiny_base

SETTINGS = """[model]
path = "served.gguf"
[learn]
at = ""
base = "base"
profile = "tiny.toml"
replay = 0.0
"""


class Killed(BaseException):
    """What ends the process, as far as a training can tell."""


def test_each_set_of_raters_is_left_out_in_a_training_of_its_own(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    base = tiny_base(tmp_path / "base", max_position_embeddings=2048)
    export_base(base, tmp_path / "served.gguf", "f16")
    profile = (FOLDER / "embedded.toml").read_text().replace("steps = 500", "steps = 2")
    (tmp_path / "tiny.toml").write_text(profile.replace("most = 60", "most = 4"))
    settings = nights.home(tmp_path, players=10, turns=14, settings=SETTINGS)

    def dies(name: str, done: int, total: int) -> None:
        raise Killed

    def evaluate(night: Night) -> Struct:
        examples = load_examples(night.folder.path / TRAINING / "train.jsonl")
        first, second, third = sorted({example.rater for example in examples} - {""})[:3]
        with pytest.raises(Killed):
            train_without(night, (first,), dies)
        other = train_without(night, (second, third), quiet)
        assert other.left_out == (second, third)
        taken_up = train_without(night, (first,), quiet)
        assert taken_up.adapter.read_bytes() != other.adapter.read_bytes()
        assert train_without(night, (first,), lambda *stage: pytest.fail("trained twice")) == taken_up
        raise Ends("kept", "enough")

    outcome = run(settings, "a test", console=Console(quiet=True), stages=nights.stages(evaluate=evaluate))
    assert outcome.summary == "enough"
