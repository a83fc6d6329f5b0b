"""What counts as a training's time: all its work, and no waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from learner.train.backends import BACKENDS, Trainable
from learner.train.loop import Job, Step, run
from learner.train.profiles import Profile
from learner.train.rows import load_encoder, make_items
from tests.support.profiles import quick
from tests.support.tiny_bases import examples

LOOK = 0.1


@dataclass(frozen=True)
class Slow(Trainable):
    """A model that takes its time for all but steps: for references, probes and validation, which have no
    dropout."""

    looks: list[float] = field(default_factory=list)

    def scores(self, ids: Tensor, chosen: Tensor) -> Tensor:
        if not any(module.training for module in self.model.modules() if isinstance(module, nn.Dropout)):
            time.sleep(LOOK)
            self.looks.append(LOOK)
        return super().scores(ids, chosen)


def slow(base: Path, profile: Profile) -> Slow:
    loaded = BACKENDS["cpu"].load(base, profile, seed=1)
    return Slow(loaded.model, loaded.device)


def job(base: Path, profile: Profile, folder: Path) -> Job:
    encoder = load_encoder(base)
    items, validation = (make_items(examples(count), encoder, 256, 1) for count in (12, 4))
    return Job(items, validation, profile, seed=1, folder=folder, key="key")


def test_references_and_validation_count_and_waiting_does_not(base: Path, tmp_path: Path) -> None:
    profile, waited = quick(lora={"dropout": 0.1}, schedule={"epochs": 1}), []
    trainable = slow(base, profile)

    def wait(_: Step) -> None:
        began = time.monotonic()
        time.sleep(LOOK)
        waited.append(time.monotonic() - began)

    began = time.monotonic()
    done, reason = run(trainable, job(base, profile, tmp_path), wait)
    took = time.monotonic() - began
    assert reason == "finished"
    assert sum(trainable.looks) <= done.seconds <= took - sum(waited)


def test_a_budget_that_ends_before_the_first_step_leaves_one(base: Path, tmp_path: Path) -> None:
    profile = quick(lora={"dropout": 0.1}, budget={"minutes": 8 * LOOK / 60})
    done, reason = run(slow(base, profile), job(base, profile, tmp_path))
    assert (done.step, reason) == (1, "time_budget")
