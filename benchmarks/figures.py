"""Measured figures come in; a table and a file of results go out. What was not measured is absent."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `goal` is `<=5` or `>=0.95`, or empty; `n` is the number of measurements; `date` is when an
    earlier run measured it, empty for this one."""

    name: str
    value: float
    unit: str
    n: int
    goal: str = ""
    date: str = ""

    @property
    def reached(self) -> bool | None:
        """None without a goal."""
        if not self.goal:
            return None
        limit = float(self.goal[2:])
        return self.value <= limit if self.goal.startswith("<=") else self.value >= limit


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def show(name: str, figures: Sequence[Figure], before: dict[str, Any]) -> None:
    """Print the table. `before` is `machine()` from before the measurement."""
    table = Table(title=f"{name}: {before['cpu']}, {before['cores']} cores")
    for column in ("figure", "value", "unit", "goal", "n"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for figure in figures:
        style = {True: "green", False: "red", None: ""}[figure.reached]
        table.add_row(
            figure.name, f"{figure.value:.4g}", figure.unit, figure.goal, str(figure.n), style=style
        )
    Console().print(table)


def earlier(name: str, measured: Sequence[Figure]) -> list[Figure]:
    """What `results/NAME.json` has beside the figures that were measured now."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    now = {figure.name for figure in measured}
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [
        Figure(key, row["value"], row["unit"], row["n"], row.get("goal", ""), row.get("date", before["date"]))
        for key, row in before["figures"].items()
        if key not in now
    ]


def report(name: str, command: str, figures: Sequence[Figure], before: dict[str, Any]) -> Path:
    """Print the table and write `results/NAME.json`."""
    show(name, figures, before)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {
        "machine": before,
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "figures": {
            figure.name: {
                "value": round(figure.value, 4),
                "unit": figure.unit,
                **({"goal": figure.goal} if figure.goal else {}),
                "n": figure.n,
                **({"date": figure.date} if figure.date else {}),
            }
            for figure in figures
        },
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path
