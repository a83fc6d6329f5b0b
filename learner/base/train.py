"""The training run: a work folder comes in; weights in Hugging Face's form go out, checkpoints on the way.

The schedule ends at a number of tokens or at a wall-clock budget, whichever comes first. An interrupted
run continues from its checkpoint with the same samples it would have seen.
"""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.nn import functional as F  # noqa: N812

from learner.base.batches import Batch, batches
from learner.base.circuit import initialise
from learner.base.layout import BRANCHES
from learner.base.model import Llama, ModelConfig
from learner.base.optimizer import make_optimizers
from learner.base.tokenize import Encoder
from learner.base.weights import load_base

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long, how fast and on what. Learning rates stay as they are until the last `cooldown` of the run,
    and fall in a line to `floor` of their start: so a run can be made longer until then."""

    tokens: int = 160_000_000
    seconds: float = math.inf
    batch_tokens: int = 4096
    matrix_lr: float = 0.012
    vector_lr: float = 0.003
    warmup: int = 40
    cooldown: float = 0.5
    floor: float = 0.01
    seed: int = 1
    device: str = "cpu"
    workers: int = 0
    branches_together: int = BRANCHES
    save_every: float = 240.0
    log_every: int = 20


@dataclass
class Progressed:
    """How far a run has come."""

    step: int = 0
    tokens: int = 0
    sample: int = 0
    seconds: float = 0.0


def loss_of(model: Llama, batch: Batch) -> torch.Tensor:
    """Weighted mean cross entropy over the positions that count."""
    keep = batch.weights.nonzero().squeeze(1)
    weights = batch.weights[keep]
    with torch.autocast(batch.ids.device.type, dtype=torch.bfloat16):
        logits = model.logits(model.hidden(batch.ids, batch.positions, batch.layout, keep))
    losses = F.cross_entropy(logits.float(), batch.targets[keep], reduction="none")
    return (losses * weights).sum() / weights.sum()


def train(
    config: ModelConfig,
    schedule: Schedule,
    encoder: Encoder,
    work: Path,
    quiet: bool = False,
    start: Path | None = None,
) -> Llama:
    """Train from first weights, or from those in the folder `start`, or go on from the work folder's
    checkpoint. Returns the trained model."""
    model = load_base(start) if start else Llama(config)
    if not start:
        initialise(model, schedule.seed)
    device = torch.device(schedule.device)
    model.to(device)
    optimizers = make_optimizers(model, schedule.matrix_lr, schedule.vector_lr)
    done = _resume(work / CHECKPOINT, model, optimizers)
    stream = batches(
        encoder,
        schedule.seed,
        done.sample,
        schedule.batch_tokens,
        config.context,
        workers=schedule.workers,
        together=schedule.branches_together,
    )
    log = (work / "training.jsonl").open("a", encoding="utf-8")
    saved = last = time.monotonic()
    smooth: float | None = None
    with log, closing(stream), _bar(quiet) as bar, _Interrupts() as interrupted:
        task = bar.add_task("training", total=schedule.tokens, completed=done.tokens)
        while (part := max(done.tokens / schedule.tokens, done.seconds / schedule.seconds)) < 1:
            rate = _rate(part, done.step, schedule)
            batch, done.sample = next(stream)
            for optimizer, base in zip(optimizers, (schedule.matrix_lr, schedule.vector_lr), strict=True):
                for group in optimizer.param_groups:
                    group["lr"] = base * rate
                optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, batch.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            now = time.monotonic()
            done.seconds += now - last
            last = now
            done.step += 1
            done.tokens += len(batch.ids)
            smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
            bar.update(task, completed=done.tokens)
            if done.step % schedule.log_every == 0:
                row = {"step": done.step, "tokens": done.tokens, "seconds": round(done.seconds)}
                log.write(json.dumps({**row, "loss": round(smooth, 4), "rate": round(rate, 4)}) + "\n")
                log.flush()
            if interrupted.by or now - saved > schedule.save_every:
                saved = now
                _save(work / CHECKPOINT, model, optimizers, done)
            if interrupted.by:
                raise SystemExit(f"interrupted; run the same command again to continue from {work}")
    _save(work / CHECKPOINT, model, optimizers, done)
    return model


class _Interrupts:
    """Notes SIGINT and SIGTERM, so that the loop can keep its work before it ends."""

    def __init__(self) -> None:
        self.by = 0
        self._before: dict[int, Any] = {}

    def _note(self, number: int, _: object) -> None:
        self.by = number

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._note) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _rate(part: float, step: int, schedule: Schedule) -> float:
    falling = min(1.0, (1 - part) / schedule.cooldown)
    return min(1.0, (step + 1) / schedule.warmup) * max(schedule.floor, falling)


def _bar(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        disable=quiet,
    )


def _save(path: Path, model: Llama, optimizers: list[torch.optim.Optimizer], done: Progressed) -> None:
    temporary = path.with_suffix(".tmp")
    state = {
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "done": vars(done),
        "config": model.config.as_dict(),
    }
    torch.save(state, temporary)
    os.replace(temporary, path)


def _resume(path: Path, model: Llama, optimizers: list[torch.optim.Optimizer]) -> Progressed:
    if not path.exists():
        return Progressed()
    state = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return Progressed(**state["done"])
