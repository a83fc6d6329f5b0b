"""The Makefile where an earlier installation broke off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_venv_that_has_no_pip_is_made_anew(tmp_path: Path) -> None:
    """`python3 -m venv` without the package python3-venv fails and leaves one with a Python in it."""
    venv, log = tmp_path / "venv", tmp_path / "log"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    assert (venv / "bin" / "python").exists()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexit 1\n')
    python.chmod(0o755)
    made = subprocess.run(
        ["make", f"VENV={venv}", f"PYTHON={python}", f"{venv}/.installed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert log.exists(), made.stdout + made.stderr
    assert log.read_text() == f"-m venv {venv}\n"
    assert made.returncode != 0
