"""The state of a run: weights and counters come in, a file that a resumed run starts from goes out.

The file is either the old state or the new one, whenever the process dies. One of another run is refused.
"""

from __future__ import annotations

import io
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from agent_runtime.errors import TrainingError
from learner.train.backends import Trainable

FILE = "checkpoint.pt"


@dataclass
class Progressed:
    """How far a run has come. `probe` is the loss on a few fixed examples before the first step."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    peak_mb: float = 0.0
    probe: float = 0.0
    references: dict[int, tuple[float, ...]] = field(default_factory=dict)


def save(
    folder: Path, key: str, trainable: Trainable, optimizer: torch.optim.Optimizer, done: Progressed
) -> None:
    """Write the state in one step, on disk before it takes the old one's place."""
    state = {
        "key": key,
        "weights": [weight.detach().cpu() for weight in trainable.weights],
        "optimizer": optimizer.state_dict(),
        "done": asdict(done),
    }
    temporary = folder / f"{FILE}.part"
    encoded = io.BytesIO()
    torch.save(state, encoded)  # to a file it would say in its own words that the disk is full
    with temporary.open("wb") as file:
        file.write(encoded.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / FILE)


def resume(
    folder: Path, key: str, trainable: Trainable, optimizer: torch.optim.Optimizer
) -> Progressed | None:
    """Put the state back; `None` when there is none. Raises `TrainingError` (`other_run`)."""
    path = folder / FILE
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location=trainable.device)
    if state["key"] != key:
        raise TrainingError(
            "other_run",
            f"{folder} holds a run with other examples or settings, or another base; give a new folder",
        )
    with torch.no_grad():
        for weight, saved in zip(trainable.weights, state["weights"], strict=True):
            weight.copy_(saved)
    optimizer.load_state_dict(state["optimizer"])
    return Progressed(**state["done"])
