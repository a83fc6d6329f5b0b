"""Raters to leave out come in; an adapter that was trained like the night's, but without them, goes out."""

from __future__ import annotations

import hashlib
import shutil

import msgspec

from agent_runtime.registry.manifest import ADAPTER
from exporters.adapter import Served, export_adapter
from learner.evaluate.contest import Retrained, Stage
from learner.evaluate.secrets import leave_out
from learner.job.work import TRAINING, Night
from learner.train.loop import Step
from learner.train.run import train

WITHOUT = "without"
"""The folder of the training without the raters who were followed most."""


def train_without(night: Night, left_out: tuple[str, ...], stage: Stage) -> Retrained:
    """Train without these raters. A killed training goes on from its checkpoint, if it is they again: whom to
    leave out hangs on the champion, and another may serve by then. Raises `TrainingError`, `DatasetError` and
    `ExportError`."""
    plan, folder = night.plan, night.folder
    place = folder.path / WITHOUT / hashlib.sha256(msgspec.json.encode(left_out)).hexdigest()[:12]
    data, run = place / "data", place / "train"
    shutil.rmtree(data, ignore_errors=True)
    leave_out(folder.path / TRAINING, data, left_out)

    def told(step: Step) -> None:
        stage(f"training again without those followed most ({len(left_out)})", step.done, step.total)

    train(data, plan.base, plan.profile, run, seed=plan.seed, backend=plan.backend, progress=told)
    adapter = place / ADAPTER
    export_adapter(
        run / "adapter",
        plan.base,
        adapter,
        version=f"{folder.asked.id}-without",
        served=Served.read(plan.served, plan.served_hash),
    )
    return Retrained(adapter, left_out)
