from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_a_share_of_the_start_needs_a_start(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "learner.base",
        "--quick",
        "--keep",
        "0.4",
        "--work",
        str(tmp_path / "work"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "needs --start" in done.stderr
    assert not (tmp_path / "work").exists()
