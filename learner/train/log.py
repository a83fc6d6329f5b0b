"""Measurements of a run come in, step by step; `metrics.jsonl` and `loss.png` go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
import torch

METRICS = "metrics.jsonl"
PICTURE = "loss.png"
_SMOOTH = 0.9


class Log:
    """Appends rows. After a resume, rows past the checkpoint are dropped: they will be made again."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / METRICS
        kept = [row for row in read_log(folder) if row["step"] <= step]
        self._path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")

    def add(self, **row: Any) -> None:
        """One row, on disk at once."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The rows so far; a last one that a kill cut short is left out."""
    path = folder / METRICS
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def memory_mb() -> tuple[float, float]:
    """What the process holds in memory now, and the most that it held on the GPU."""
    gpu = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
    return psutil.Process().memory_info().rss / 1e6, gpu


def draw(folder: Path, title: str) -> Path:
    """Loss by objective, and the learning rate, over the steps."""
    from matplotlib.figure import Figure

    rows = read_log(folder)
    figure = Figure(figsize=(8, 5), layout="constrained")
    losses, rates = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for name in sorted({name for row in rows for name in row.get("losses", {})}):
        steps = [row["step"] for row in rows if name in row.get("losses", {})]
        values = [row["losses"][name] for row in rows if name in row.get("losses", {})]
        (line,) = losses.plot(steps, values, alpha=0.25)
        losses.plot(steps, _smoothed(values), color=line.get_color(), label=f"{name}, training")
    checks = [row for row in rows if "validation" in row]
    for name in sorted({name for row in checks for name in row["validation"]}):
        part = [row for row in checks if name in row["validation"]]
        losses.plot(
            [row["step"] for row in part],
            [row["validation"][name] for row in part],
            "o--",
            label=f"{name}, validation",
        )
    part = [row for row in rows if "learning_rate" in row]
    rates.plot([row["step"] for row in part], [row["learning_rate"] for row in part])
    losses.set(title=title, ylabel="loss")
    rates.set(xlabel="step", ylabel="learning rate")
    if losses.lines:
        losses.legend()
    path = folder / PICTURE
    figure.savefig(path, dpi=100, metadata={"Software": None})
    return path


def _smoothed(values: list[float]) -> list[float]:
    smooth: list[float] = []
    for value in values:
        smooth.append(value if not smooth else _SMOOTH * smooth[-1] + (1 - _SMOOTH) * value)
    return smooth
