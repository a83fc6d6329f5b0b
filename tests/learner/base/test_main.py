from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exporters.gguf import SOURCE_FILES


def test_the_quick_form_runs_all_stages_and_can_be_run_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "learner.base", "--quick", "--work", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert first.returncode == 0, first.stderr
    assert "unasked actions" in first.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(SOURCE_FILES)
    assert (tmp_path / "townsfolk-base-BF16.gguf").stat().st_size > 10_000
    weights = (tmp_path / "out" / "model.safetensors").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--keep", "0.4"], "needs --start"),
        (["--keep", "1", "--start", "."], "below 1"),
        (["--keep", "0.4", "--start", ".", "--out", "../here/."], "another --out"),
    ],
)
def test_a_share_that_cannot_be_kept_is_refused(tmp_path: Path, options: list[str], reason: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    command = [sys.executable, "-m", "learner.base", "--quick", "--work", str(tmp_path / "work"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=here)
    assert done.returncode == 2
    assert reason in done.stderr.replace("\n", " ")
    assert not (tmp_path / "work").exists()
