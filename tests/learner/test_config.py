"""What a run works with, and when two runs are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.engine import modelfile
from agent_runtime.errors import ConfigError
from learner.config import Plan, plan_of


def plan(home: Path, settings: str = "") -> Plan:
    home.mkdir(exist_ok=True)
    (home / "townsfolk.toml").write_text(settings)
    return plan_of(config.load(home))


def test_the_embedded_base_and_its_profile(tmp_path: Path) -> None:
    found = plan(tmp_path)
    assert found.profile.name == "embedded"
    assert found.served_hash == modelfile.digest(found.served)
    assert found.memory_mb == found.profile.budget.memory_mb
    assert found.gate.canary


def test_settings_reach_their_places(tmp_path: Path) -> None:
    found = plan(
        tmp_path, '[learn]\nmemory_mb = 900\nleast_gain = 0.15\npassed = "promote"\nmin_raters = 3\n'
    )
    assert found.memory_mb == found.profile.budget.memory_mb == 900
    assert (found.gate.least_gain, found.gate.canary) == (0.15, False)
    assert found.dataset.min_raters == 3


def test_the_same_settings_are_the_same_run_wherever_the_home_lies(tmp_path: Path) -> None:
    assert plan(tmp_path / "a").key == plan(tmp_path / "b").key
    assert plan(tmp_path / "a").key != plan(tmp_path / "b", "[learn]\nseed = 2\n").key


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"learn\.base"):
        plan(tmp_path, '[model]\npath = "mine.gguf"\n')
    with pytest.raises(ConfigError, match=r"model\.path"):
        plan(tmp_path, '[engine]\nbackend = "openai"\nurl = "http://127.0.0.1:1/v1"\n')
