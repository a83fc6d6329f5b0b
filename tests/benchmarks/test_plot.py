"""The picture is drawn from a result file, whatever of it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import plot

pytest.importorskip("matplotlib")
FIGURES = {
    "decode_1_ours_embedded": 2000.0,
    "decode_16_ours_embedded": 3000.0,
    "decode_1_champion_ours_embedded": 1900.0,
    "decode_1_raw_embedded": 2100.0,
    "decode_1_memory_embedded": 4000.0,
    "decode_1_ours_0p5b": 90.0,
}


def test_a_picture_comes_of_what_was_measured(tmp_path: Path) -> None:
    machine = {"cpu": "Z80", "cores": 2}
    figures = {name: {"value": value, "unit": "1/s", "n": 5} for name, value in FIGURES.items()}
    results = tmp_path / "engine.json"
    results.write_text(json.dumps({"machine": machine, "date": "2026-11-20", "figures": figures}))
    content = json.loads(results.read_text())
    assert plot.rates(content, "ours", "embedded") == {1: 2000.0, 16: 3000.0}
    assert plot.rates(content, "server", "embedded") == {}
    drawn = plot.draw(results, tmp_path / "images" / "engine.png")
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert drawn.stat().st_size > 5_000
