"""What a run tells: lines without a terminal, and a file for whoever looks from outside."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from agent_runtime.nights import runs
from agent_runtime.nights.runs import PROGRESS
from learner.job.show import Show


def test_lines_and_the_file(tmp_path: Path) -> None:
    out = io.StringIO()
    with Show(tmp_path, "00001-x", Console(file=out, width=120)) as show:
        show.skipped("snapshot")
        with show.stage("train"):
            show.advance(0.5, "half")
            told = runs.read(tmp_path / PROGRESS, runs.Progress)
            assert (told.run, told.stage) == ("00001-x", "train")
    assert out.getvalue().splitlines() == [
        "sealing what was rated: done already",
        "[3/7] training …",
        "[3/7] training: done in 0.0 s",
    ]
    assert not (tmp_path / PROGRESS).exists()


def test_bars_on_a_terminal(tmp_path: Path) -> None:
    out = io.StringIO()
    with (
        Show(tmp_path, "00001-x", Console(file=out, width=120, force_terminal=True)) as show,
        show.stage("train"),
    ):
        show.advance(0.5, "step 4 of 8")
    assert "training" in out.getvalue()
    assert "100 %" in out.getvalue()
