"""Figures of parts that were measured on different days, in one file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Figure, earlier, machine, report


def test_figures_of_an_earlier_run_keep_its_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    path = report(
        "loop", "first", [Figure("old", 1.0, "ms", 3, "<=2"), Figure("both", 1.0, "ms", 3)], machine()
    )
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "date": "2026-11-01"}))
    measured = [Figure("both", 2.0, "ms", 3)]
    for _ in range(2):
        report("loop", "second", [*earlier("loop", measured), *measured], machine())
    rows = json.loads(path.read_text())["figures"]
    assert rows["old"] == {"value": 1.0, "unit": "ms", "goal": "<=2", "n": 3, "date": "2026-11-01"}
    assert rows["both"] == {"value": 2.0, "unit": "ms", "n": 3}
