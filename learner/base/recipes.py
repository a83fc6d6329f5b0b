"""How a base is made: a device comes in; sizes, pace and length of the training go out."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from learner.base.layout import WIDE_BRANCHES
from learner.base.model import ModelConfig
from learner.base.train import Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to make a base: sizes, length of training, and how much of the evaluation to ask."""

    config: ModelConfig
    schedule: Schedule
    tokenizer_samples: int
    cases: int


def small() -> Recipe:
    """For a CPU: size and pace of the shipped weights."""
    return Recipe(ModelConfig(), Schedule(), 6000, 10_000)


def large() -> Recipe:
    """For a CUDA GPU: 10.9 million parameters (22 MB), made-up samples from all processors but one."""
    config = ModelConfig(hidden=384, inner=896, layers=6, heads=6)
    schedule = Schedule(
        tokens=1_000_000_000,
        batch_tokens=32_768,
        device="cuda",
        workers=max(1, (os.cpu_count() or 1) - 1),
        branches_together=WIDE_BRANCHES,
    )
    return Recipe(config, schedule, 6000, 10_000)


def for_device(device: str | None = None) -> Recipe:
    """The one for "cpu" or "cuda"; without a word, for the GPU where there is one."""
    return large() if (device or ("cuda" if torch.cuda.is_available() else "cpu")) == "cuda" else small()


def quick() -> Recipe:
    """A toy that runs through every stage in about a minute; it learns nothing worth hearing."""
    config = ModelConfig(vocabulary=768, hidden=64, inner=96, layers=2)
    return Recipe(config, Schedule(tokens=120_000, seconds=40, warmup=5, log_every=5), 200, 2)
