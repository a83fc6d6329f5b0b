"""A trainable model and items come in; the same model, trained, goes out, or `TrainingError` with the reason.

The loop is the same for every backend. It can be killed at any moment: run again, it continues from its
checkpoint with the batches and the dropout that it would have had.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from agent_runtime.errors import TrainingError
from learner.train import checkpoint
from learner.train.backends import Trainable
from learner.train.checkpoint import Progressed
from learner.train.log import Log, memory_mb
from learner.train.losses import Objectives, mean_sizes, mean_weights, references
from learner.train.memory import is_out_of_memory, out_of_memory
from learner.train.profiles import Profile, Schedule
from learner.train.rows import OBJECTIVES, Item, batches, cut

_PROBES = 48
_VALIDATED = 32
_SMALLER = "lower schedule.batch_tokens or the base's size"


@dataclass(frozen=True, slots=True)
class Step:
    """What a progress bar shows: steps done and in all, the loss, tokens per second."""

    done: int
    total: int
    loss: float
    tokens_per_s: float


Progress = Callable[[Step], None]
"""Called after each step; what it waits is not counted as training time."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: what is learned, with which settings, where its files lie, and the key that tells it from
    other runs."""

    items: Sequence[Item]
    validation: Sequence[Item]
    profile: Profile
    seed: int
    folder: Path
    key: str
    save_every_s: float = 20.0


def run(trainable: Trainable, job: Job, progress: Progress | None = None) -> tuple[Progressed, str]:
    """Train to the end or to the end of the time budget; how far it came, and `finished` or `time_budget`.

    Raises `TrainingError` with the reason `nan`, `no_progress`, `out_of_memory`, or `other_run`.
    """
    try:
        return _run(trainable, job, progress)
    except TrainingError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory(error, _SMALLER) from error
        raise


def _run(trainable: Trainable, job: Job, progress: Progress | None) -> tuple[Progressed, str]:
    schedule, budget = job.profile.schedule, job.profile.budget
    optimizer = torch.optim.AdamW(trainable.weights, lr=schedule.learning_rate, weight_decay=0.0)
    done = checkpoint.resume(job.folder, job.key, trainable, optimizer)
    plan = _plan(job.items, schedule, job.seed)
    fresh = done is None
    done = done or Progressed()
    clock = _Clock(done)
    first = batches(job.items, schedule, job.seed, 0)
    if fresh:
        done.references = dict(references(trainable, job.items, first))
    objectives = Objectives(
        job.items,
        job.profile.preference,
        done.references,
        mean_weights(job.items),
        mean_sizes(job.items, first),
    )
    judge = _Validation(trainable, job)
    log = Log(job.folder, done.step)
    if fresh:
        done.probe = _probe(trainable, objectives, schedule)
        log.add(step=0, validation=judge.losses())
    saved = done.seconds
    for step in plan[done.step :]:
        clock.count()
        rate = _rate(done.step, len(plan), schedule)
        torch.manual_seed(job.seed * 1_000_003 + done.step)  # dropout is the same after a resume
        losses, norm = update(trainable, optimizer, objectives, step.batches, rate, schedule.clip)
        speed = step.tokens / clock.count()
        done.step += 1
        done.tokens += step.tokens
        rss, gpu = memory_mb()
        done.peak_mb = max(done.peak_mb, rss)
        log.add(
            step=done.step,
            losses={name: round(value, 5) for name, value in losses.items()},
            learning_rate=rate,
            tokens_per_s=round(speed, 1),
            memory_mb=round(rss),
            gpu_mb=round(gpu),
            seconds=round(done.seconds, 3),
        )
        loss = sum(losses.values())
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise TrainingError(
                "nan", f"the loss is {loss} at step {done.step} of {len(plan)}; lower schedule.learning_rate"
            )
        if rss > budget.memory_mb:
            what = f"{rss:.0f} MB at step {done.step}, and budget.memory_mb is {budget.memory_mb}"
            raise out_of_memory(what, _SMALLER)
        if step.ends_epoch:
            log.add(step=done.step, validation=judge.losses())
            _demand_progress(_probe(trainable, objectives, schedule), done, len(plan))
        clock.count()
        if step.ends_epoch or done.seconds - saved >= job.save_every_s:
            saved = done.seconds
            checkpoint.save(job.folder, job.key, trainable, optimizer, done)
            clock.count()
        if progress is not None:
            progress(Step(done.step, len(plan), loss, speed))
            clock.skip()
        if done.seconds > budget.minutes * 60 and done.step < len(plan):
            return done, "time_budget"
    return done, "finished"


class _Clock:
    """Counts into `done` the seconds that a run works: its steps, references, validation, checkpoints."""

    def __init__(self, done: Progressed) -> None:
        self._done, self._last = done, time.monotonic()

    def count(self) -> float:
        """The time since the last call was work; how long it was."""
        before = self._last
        self.skip()
        self._done.seconds += self._last - before
        return self._last - before

    def skip(self) -> None:
        """The time since the last call was none."""
        self._last = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Planned:
    batches: list[list[int]]
    tokens: int
    ends_epoch: bool


def _plan(items: Sequence[Item], schedule: Schedule, seed: int) -> list[_Planned]:
    plan: list[_Planned] = []
    for epoch in range(schedule.epochs):
        order = batches(items, schedule, seed, epoch)
        for start in range(0, len(order), schedule.accumulate):
            part = order[start : start + schedule.accumulate]
            tokens = sum(len(row.ids) for batch in part for number in batch for row in items[number].rows)
            ends = start + schedule.accumulate >= len(order) or len(plan) + 1 == schedule.steps
            plan.append(_Planned(part, tokens, ends))
            if len(plan) == schedule.steps:
                return plan
    return plan


def _rate(step: int, total: int, schedule: Schedule) -> float:
    """Linear warm-up, then a cosine down to nothing."""
    warm = max(1, round(schedule.warmup * total))
    if step < warm:
        return schedule.learning_rate * (step + 1) / warm
    part = (step - warm) / max(1, total - warm)
    return schedule.learning_rate * 0.5 * (1 + math.cos(math.pi * part))


def update(
    trainable: Trainable,
    optimizer: torch.optim.Optimizer,
    objectives: Objectives,
    parts: Sequence[Sequence[int]],
    rate: float,
    clip: float,
) -> tuple[dict[str, float], float]:
    """One optimizer step; the mean loss by objective, and the gradient's norm before clipping."""
    trainable.dropout(True)
    optimizer.zero_grad(set_to_none=True)
    seen: dict[str, list[float]] = {}
    for numbers in parts:
        loss = objectives.loss(trainable, numbers)
        (loss * objectives.part(numbers) / len(parts)).backward()  # type: ignore[no-untyped-call]
        seen.setdefault(objectives.items[numbers[0]].objective, []).append(loss.item())
    norm = float(torch.nn.utils.clip_grad_norm_(trainable.weights, clip))
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return {name: sum(values) / len(values) for name, values in seen.items()}, norm


def _probe(trainable: Trainable, objectives: Objectives, schedule: Schedule) -> float:
    """The loss on a few training examples that are imitated, or of every objective when none are; without
    dropout."""
    # Judgements may contradict each other, so that nothing can be learned from them; what is imitated cannot.
    return sum(
        _losses(trainable, objectives, schedule, _PROBES, only="sft").values()
        or _losses(trainable, objectives, schedule, _PROBES).values()
    )


def _losses(
    trainable: Trainable, objectives: Objectives, schedule: Schedule, most: int, only: str = ""
) -> dict[str, float]:
    """The mean loss on at most so many examples of each objective, or of `only` one."""
    trainable.dropout(False)
    items = objectives.items
    found: dict[str, float] = {}
    with torch.no_grad():
        for objective in dict.fromkeys(item.objective for item in items if only in ("", item.objective)):
            numbers = [number for number, item in enumerate(items) if item.objective == objective][:most]
            parts = cut(sorted(numbers, key=lambda number: items[number].tokens), items, schedule)
            values = [objectives.loss(trainable, part).item() for part in parts]
            found[objective] = round(sum(values) / len(values), 5)
    return found


class _Validation:
    """The loss on examples that are not trained on."""

    def __init__(self, trainable: Trainable, job: Job) -> None:
        self._trainable, self._schedule = trainable, job.profile.schedule
        items: list[Item] = []
        for objective in OBJECTIVES:
            items += [item for item in job.validation if item.objective == objective][:_VALIDATED]
        known = references(trainable, items, [[number] for number in range(len(items))])
        self._objectives = Objectives(items, job.profile.preference, known, mean_weights(items), {})

    def losses(self) -> dict[str, float]:
        """By objective."""
        return _losses(self._trainable, self._objectives, self._schedule, _VALIDATED)


def _demand_progress(probe: float, done: Progressed, total: int) -> None:
    if done.step >= total / 2 and not probe < done.probe:
        raise TrainingError(
            "no_progress",
            f"after {done.step} of {total} steps the loss on training examples is {probe:.4f}, "
            f"and it was {done.probe:.4f} before; change schedule.learning_rate or look at the examples",
        )
