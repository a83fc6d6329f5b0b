from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.gpu import REPLY, SHAPES, STEPS, WARMUP, largest_batch, timed
from learner.train.backends import BACKENDS, Trainable
from learner.train.profiles import FOLDER, read_profile
from learner.train.rows import cut
from tests.support.profiles import quick
from tests.support.tiny_bases import tiny_base


@dataclass(frozen=True)
class Watched(Trainable):
    """Notes what it is asked for, and in which mode."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    modes: list[tuple[bool, bool]] = field(default_factory=list)

    def scores(self, ids: Tensor, chosen: Tensor) -> Tensor:
        self.shapes.append(tuple(ids.shape))
        self.modes.extend((isinstance(part, nn.Dropout), part.training) for part in self.model.modules())
        return super().scores(ids, chosen)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "needs a CUDA GPU" in done.stdout


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_trained_by_the_profile_of_its_family(name: str) -> None:
    _, profile, _ = SHAPES[name]
    assert read_profile(FOLDER / f"{profile}.toml").quantization == "nf4"


@pytest.mark.parametrize("name", SHAPES)
def test_the_largest_batch_of_a_profile_is_measured(name: str) -> None:
    profile = read_profile(FOLDER / f"{SHAPES[name][1]}.toml")
    items = largest_batch(profile.schedule, words=100)
    assert [(item.tokens, item.rows[0].prompt) for item in items] == [(2048, 2048 - REPLY)] * 2
    numbers = list(range(len(items)))
    assert cut(numbers, items, profile.schedule) == [numbers], "training would take it at once"


def test_what_is_measured_are_steps_of_training(tmp_path: Path) -> None:
    """Gradient checkpointing, among others, works in training alone."""
    profile = quick("qwen3", schedule={"batch": 2, "context": 64, "batch_tokens": 128})
    loaded = BACKENDS["cpu"].load(tiny_base(tmp_path, "qwen3"), profile, seed=1)
    watched = Watched(loaded.model, loaded.device)
    assert len(timed(watched, profile, largest_batch(profile.schedule, words=384))) == STEPS
    assert watched.shapes == [(2, 64)] * (WARMUP + STEPS)
    assert set(watched.modes) == {(True, True), (False, True)}
    assert any(weight.any() for name, weight in watched.model.named_parameters() if "lora_B" in name)
