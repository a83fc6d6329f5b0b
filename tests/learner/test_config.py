"""What a run works with, and when two runs are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.engine import modelfile
from agent_runtime.errors import ConfigError
from agent_runtime.journal.sealed import Scope
from learner.config import Plan, plan_of
from learner.train.profiles import FOLDER, read_profile


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
    assert found.scope == Scope(consent="ask")


def test_settings_reach_their_places(tmp_path: Path) -> None:
    found = plan(
        tmp_path,
        '[learn]\nmemory_mb = 900\nleast_gain = 0.15\npassed = "promote"\nmin_raters = 3\n'
        '[privacy]\nconsent = "opt-out"\n',
    )
    assert found.memory_mb == found.profile.budget.memory_mb == 900
    assert (found.gate.least_gain, found.gate.canary) == (0.15, False)
    assert found.dataset.min_raters == 3
    assert found.scope == Scope(consent="opt-out")


@pytest.mark.parametrize(("passed", "canary"), [("canary", True), ("promote", False), ("keep", False)])
def test_the_gate_knows_whether_players_judge_once_more(tmp_path: Path, passed: str, canary: bool) -> None:
    assert plan(tmp_path, f'[learn]\npassed = "{passed}"\n').gate.canary is canary


@pytest.mark.parametrize(("settings", "trainings"), [("", 2), ("[learn]\nretrain_without = false\n", 1)])
def test_a_run_has_time_for_what_its_profile_says(tmp_path: Path, settings: str, trainings: int) -> None:
    found = plan(tmp_path, settings)
    assert found.profile.budget.minutes == 20
    assert found.minutes == trainings * 20 + 200


@pytest.mark.parametrize(
    ("settings", "minutes"),
    [
        ("minutes = 60", 15),
        ("minutes = 60\nretrain_without = false", 20),
        ("minutes = 30\nretrain_without = false", 15),
        ("minutes = 600", 20),
    ],
)
def test_trainings_end_by_themselves_in_half_of_a_run(tmp_path: Path, settings: str, minutes: float) -> None:
    found = plan(tmp_path, f"[learn]\n{settings}\n")
    assert found.profile.budget.minutes == minutes
    assert found.minutes == float(settings.split()[2])


@pytest.mark.parametrize("name", ["qwen3", "gpt-oss-20b"])
def test_the_large_profiles_have_the_time_they_ask_for(tmp_path: Path, name: str) -> None:
    asked = read_profile(FOLDER / f"{name}.toml").budget.minutes
    found = plan(tmp_path, f'[learn]\nprofile = "{FOLDER / name}.toml"\n')
    assert found.profile.budget.minutes == asked
    assert found.minutes > 2 * asked


def test_the_same_settings_are_the_same_run_wherever_the_home_lies(tmp_path: Path) -> None:
    assert plan(tmp_path / "a").key == plan(tmp_path / "b").key
    assert plan(tmp_path / "a").key != plan(tmp_path / "b", "[learn]\nseed = 2\n").key


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"learn\.base"):
        plan(tmp_path, '[model]\npath = "mine.gguf"\n')
    with pytest.raises(ConfigError, match=r"model\.path"):
        plan(tmp_path, '[engine]\nbackend = "openai"\nurl = "http://127.0.0.1:1/v1"\n')
