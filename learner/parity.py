"""A trained adapter and its exported GGUF come in; how far the serving engine is from the training model
goes out, or `ExportError` when that is too far.

Two things are asked, on real prompts with their replies. The logits must agree within what the base's
quantisation costs. And the adapter must do to them in the engine what it does in training: its effect,
logits with it minus logits without it, is compared apart, so that a wrong scale or a wrong order of rows
shows even where the base is coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent_runtime.engine import adapterfile, modelfile
from agent_runtime.engine.backend import Row as Fed
from agent_runtime.engine.backend import Size, Version
from agent_runtime.engine.llama import Llama
from agent_runtime.errors import ExportError
from learner.train.backends import Trainable
from learner.train.rows import Row

Logits = NDArray[np.float32]

_CHUNK = 256
_SPARE = 64


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`distance` is the most that the logits may differ, as a share of their spread; `scale` is how far the
    effect's size may be off, and `residual` the share of the effect that may be something else."""

    distance: float = 0.1
    scale: float = 0.1
    residual: float = 0.3


class Parity(msgspec.Struct, frozen=True):
    """What was measured: `max_abs` over all logits, and the `largest` logit; `distance`, the root mean square
    of the differences beside that of the logits' spread (an expert chosen differently on one token moves
    the largest difference, not this); `agreement` on the likeliest token; and of the adapter's effect its
    `scale` (1 is exact) and `residual` (0 is)."""

    positions: int
    max_abs: float
    largest: float
    distance: float
    agreement: float
    scale: float
    residual: float


@dataclass(frozen=True, slots=True)
class Both:
    """Logits (positions, vocabulary) without and with the adapter."""

    bare: Logits
    adapted: Logits


def check(
    trainable: Trainable, base: Path, adapter: Path, rows: Sequence[Row], tolerance: Tolerance = Tolerance()
) -> Parity:
    """Compare the trained model with the GGUFs `base` and `adapter` over the replies of the rows. Raises
    `ExportError`, and the engine's own errors for files that it cannot use."""
    parity = compare(trained_logits(trainable, rows), served_logits(base, adapter, rows))
    demand(parity, tolerance)
    return parity


def trained_logits(trainable: Trainable, rows: Sequence[Row]) -> Both:
    """What the training model says before each token of the replies."""
    adapted = [trainable.logits(row.ids)[row.prompt - 1 :].numpy() for row in rows]
    with trainable.model.disable_adapter():
        bare = [trainable.logits(row.ids)[row.prompt - 1 :].numpy() for row in rows]
    return Both(np.concatenate(bare), np.concatenate(adapted))


def served_logits(base: Path, adapter: Path, rows: Sequence[Row], threads: int = 1) -> Both:
    """The same of the serving engine."""
    header = modelfile.read_header(base)
    adapterfile.check(adapter, header)
    model = Llama(base)
    try:
        longest = max(len(row.ids) for row in rows)
        model.open(Size(sequences=1, cells=longest + _SPARE, batch=_CHUNK, threads=threads))
        bare = [_speak(model, row) for row in rows]
        model.use(Version("trained", adapter=adapter))
        adapted = [_speak(model, row) for row in rows]
    finally:
        model.close()
    return Both(np.concatenate(bare), np.concatenate(adapted))


def _speak(model: Llama, row: Row) -> Logits:
    """Feed the prompt in one piece and the reply token by token, as in serving."""
    model.drop(0)
    for start in range(0, row.prompt - 1, _CHUNK):
        model.decode([Fed(0, start, row.ids[start : min(start + _CHUNK, row.prompt - 1)], False)])
    said = []
    for position in range(row.prompt - 1, len(row.ids)):
        (place,) = model.decode([Fed(0, position, row.ids[position : position + 1], True)])
        said.append(model.logits(place))
    return np.stack(said)


def compare(trained: Both, served: Both) -> Parity:
    """Pure arithmetic; see `Parity`."""
    difference = np.abs(served.adapted - trained.adapted)
    spread = np.sqrt(np.square(trained.adapted - trained.adapted.mean(1, keepdims=True)).mean())
    distance = np.sqrt(np.square(difference).mean()) / spread
    largest = np.abs(trained.adapted).max()
    wanted = (trained.adapted - trained.bare).astype(np.float64)
    found = (served.adapted - served.bare).astype(np.float64)
    power = (wanted * wanted).sum()
    scale = (wanted * found).sum() / power if power else 1.0
    rest = found - scale * wanted
    residual = np.sqrt((rest * rest).sum() / (found * found).sum()) if found.any() else float(power > 0)
    agreement = (served.adapted.argmax(1) == trained.adapted.argmax(1)).mean()
    return Parity(
        len(wanted),
        *(round(float(value), 6) for value in (difference.max(), largest, distance)),
        *(round(float(value), 6) for value in (agreement, scale, residual)),
    )


def demand(parity: Parity, tolerance: Tolerance) -> None:
    """Raise `ExportError` with what is wrong."""
    wrong = []
    if not parity.distance <= tolerance.distance:
        wrong.append(f"logits differ by {parity.distance:.3f} of their spread (at most {tolerance.distance})")
    if not abs(parity.scale - 1) <= tolerance.scale:
        wrong.append(f"the adapter works {parity.scale:.2f} times as strongly as in training")
    if not parity.residual <= tolerance.residual:
        wrong.append(f"{parity.residual:.0%} of the adapter's effect is not what was trained")
    if wrong:
        raise ExportError(f"the exported adapter does not say what was trained: {'; '.join(wrong)}")
