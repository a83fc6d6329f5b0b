"""A whole real night on the embedded base, in a process of its own, as the server starts it: it is trained,
exported, asked, judged and registered, and its verdict is computed again from the evidence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.nights import runs
from agent_runtime.nights.runs import STAGES
from agent_runtime.registry.store import Registry
from tests.support import nights

ROOT = Path(__file__).parents[3]
SETTINGS = """[learn]
at = ""
passed = "promote"
cases = 5
"""


def learn(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "learner", "--home", str(home), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_real_night_ends_with_a_version_whose_verdict_can_be_checked(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, players=24, turns=8, settings=SETTINGS)
    ran = learn(tmp_path, "run")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    run = runs.latest(settings.learner_folder)
    assert run
    assert run.done == STAGES
    assert run.outcome
    assert run.outcome.ended in ("promoted", "kept", "refused")
    version = Registry(settings.registry_path).get(1)
    assert version.manifest
    assert {"card.md", "report.json", "verdict.json", "loss.png", "peft/adapter_config.json"} <= set(
        version.manifest.files
    )
    checked = learn(tmp_path, "verify", "1")
    assert checked.returncode == 0, checked.stderr
    assert "gives the same verdict" in checked.stdout
    assert "What was learned" in learn(tmp_path, "explain", "1").stdout
