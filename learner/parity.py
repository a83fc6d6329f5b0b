"""A trained adapter and its exported GGUF come in; how far the serving engine is from the training model
goes out, or `ExportError` when that is too far.

Three things are asked. What the adapter adds to each weight must be in the file what it is in training. On
real prompts with their replies, the logits must agree within what the base's quantisation costs. And the
adapter must do to them in the engine what it does in training: its effect, logits with it minus logits
without it, is compared apart, so that a wrong scale or a wrong order of rows shows even where the base is
coarse. A few small steps move logits by less than they are rounded, so for this the adapter is amplified,
by as much on either side, until its effect is seen.
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
from exporters.architectures import served_name, served_rows
from learner.train.backends import Trainable
from learner.train.rows import Row

Logits = NDArray[np.float32]

_CHUNK = 256
_SPARE = 64
_SEEN = 0.15
"""An effect of this share of the logits' spread is well above rounding in bfloat16, and small enough that
the model still says what it says."""
_MOST_AMPLIFIED = 2.0**16


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`weights` is the most that the change of a weight may differ, as a share of it: 16 bits round it by
    less. `distance` is the most that the logits may differ, as a share of their spread; `scale` is how far
    the effect's size may be off, and `residual` the share of the effect that may be something else."""

    weights: float = 0.02
    distance: float = 0.1
    scale: float = 0.1
    residual: float = 0.3


class Parity(msgspec.Struct, frozen=True):
    """What was measured: `max_abs` over all logits, and the `largest` logit; `distance`, the root mean square
    of the differences beside that of the logits' spread (an expert chosen differently on one token moves
    the largest difference, not this); `agreement` on the likeliest token; and of the adapter's effect, when
    it is `amplified` so many times, its `scale` (1 is exact) and `residual` (0 is). `weights` is the norm of
    the difference between the served and the trained change of a weight beside the latter's, of the weight
    where it is largest, which is the `worst`."""

    positions: int
    max_abs: float
    largest: float
    distance: float
    agreement: float
    scale: float
    residual: float
    amplified: float = 1.0
    weights: float = 0.0
    worst: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Logits (positions, vocabulary) without the adapter, with it, and with it amplified."""

    bare: Logits
    adapted: Logits
    amplified: Logits


def check(
    trainable: Trainable, base: Path, adapter: Path, rows: Sequence[Row], tolerance: Tolerance = Tolerance()
) -> Parity:
    """Compare the trained model with the GGUFs `base` and `adapter` over the replies of the rows. Raises
    `ExportError`, and the engine's own errors for files that it cannot use."""
    worst, weights = weights_apart(trainable, base, adapter)
    factor = amplification(trainable, rows[0])
    measured = compare(trained_logits(trainable, rows, factor), served_logits(base, adapter, rows, factor))
    parity = msgspec.structs.replace(measured, amplified=factor, weights=_round(weights), worst=worst)
    demand(parity, tolerance)
    return parity


def weights_apart(trainable: Trainable, base: Path, adapter: Path) -> tuple[str, float]:
    """The weight whose change in the GGUF is farthest from the trained one, and how far, as a share of it."""
    config = trainable.model.config.to_dict()
    trained = {served_name(name, config) or name: name for name in trainable.changed}
    apart = dict.fromkeys(trained, 1.0)
    served = adapterfile.check(adapter, modelfile.read_header(base))
    for target in served.matrices:
        apart[target] = float("inf")
        if target in trained:
            name, found = trained[target], served.delta(target)
            wanted = served_rows(name, trainable.change(name).numpy(), config)
            difference, size = np.linalg.norm(found - wanted), np.linalg.norm(wanted)
            apart[target] = float(difference / size) if size else float("inf" if difference else 0)
    worst = max(apart, key=lambda target: apart[target])
    return worst, apart[worst]


def amplification(trainable: Trainable, row: Row) -> float:
    """By how much the adapter must be amplified for its effect on a reply to be seen."""
    with trainable.model.disable_adapter():
        bare = _said(trainable, [row])
    factor = 1.0
    while factor < _MOST_AMPLIFIED:
        effect = _amplified(trainable, [row], factor) - bare
        if _size(effect) >= _SEEN * _spread(bare):
            break
        factor *= 2
    return factor


def trained_logits(trainable: Trainable, rows: Sequence[Row], factor: float = 1.0) -> Answers:
    """What the training model says before each token of the replies; amplified by `factor`."""
    with trainable.model.disable_adapter():
        bare = _said(trainable, rows)
    return Answers(bare, _said(trainable, rows), _amplified(trainable, rows, factor))


def _amplified(trainable: Trainable, rows: Sequence[Row], factor: float) -> Logits:
    with trainable.amplified(factor):
        return _said(trainable, rows)


def _said(trainable: Trainable, rows: Sequence[Row]) -> Logits:
    return np.concatenate([trainable.logits(row.ids)[row.prompt - 1 :].numpy() for row in rows])


def served_logits(
    base: Path, adapter: Path, rows: Sequence[Row], factor: float = 1.0, threads: int = 1
) -> Answers:
    """The same of the serving engine."""
    header = modelfile.read_header(base)
    adapterfile.check(adapter, header)
    versions = (
        Version(),
        Version("trained", adapter=adapter),
        Version("amplified", adapter=adapter, scale=factor),
    )
    model = Llama(base)
    try:
        longest = max(len(row.ids) for row in rows)
        model.open(Size(sequences=1, cells=longest + _SPARE, batch=_CHUNK, threads=threads))
        said = []
        for version in versions:
            model.use(version)
            said.append(np.concatenate([_speak(model, row) for row in rows]))
    finally:
        model.close()
    return Answers(*said)


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


def compare(trained: Answers, served: Answers) -> Parity:
    """Pure arithmetic; see `Parity`."""
    difference = np.abs(served.adapted - trained.adapted)
    distance = _size(difference) / _spread(trained.adapted)
    largest = np.abs(trained.adapted).max()
    wanted = (trained.amplified - trained.bare).astype(np.float64)
    found = (served.amplified - served.bare).astype(np.float64)
    power = (wanted * wanted).sum()
    scale = (wanted * found).sum() / power if power else 1.0
    rest = found - scale * wanted
    residual = np.sqrt((rest * rest).sum() / (found * found).sum()) if found.any() else float(power > 0)
    agreement = (served.adapted.argmax(1) == trained.adapted.argmax(1)).mean()
    return Parity(
        positions=len(wanted),
        max_abs=_round(difference.max()),
        largest=_round(largest),
        distance=_round(distance),
        agreement=_round(agreement),
        scale=_round(scale),
        residual=_round(residual),
    )


def _round(value: float) -> float:
    return round(float(value), 6)


def _size(values: Logits) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _spread(logits: Logits) -> float:
    return _size(logits - logits.mean(1, keepdims=True))


def demand(parity: Parity, tolerance: Tolerance) -> None:
    """Raise `ExportError` with what is wrong."""
    wrong = []
    if not parity.weights <= tolerance.weights:
        wrong.append(f"{parity.worst} is not as it was trained ({parity.weights:.0%} of its change is off)")
    if not parity.distance <= tolerance.distance:
        wrong.append(f"logits differ by {parity.distance:.3f} of their spread (at most {tolerance.distance})")
    if not abs(parity.scale - 1) <= tolerance.scale:
        wrong.append(f"the adapter works {parity.scale:.2f} times as strongly as in training")
    if not parity.residual <= tolerance.residual:
        wrong.append(f"{parity.residual:.0%} of the adapter's effect is not what was trained")
    if wrong:
        raise ExportError(f"the exported adapter does not say what was trained: {'; '.join(wrong)}")
