"""`townsfolk learn …` as it is called, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from agent_runtime.nights.child import BUSY
from learner.job import lock
from learner.job.run import run
from tests.support import nights
from tests.support.nights import stages, talks

ROOT = Path(__file__).parents[2]


def learn(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent_runtime", "--home", str(home), "learn", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)


def test_before_the_first_night(tmp_path: Path) -> None:
    assert "nothing was learned yet" in learn(tmp_path, "status").stdout
    ran = learn(tmp_path, "run")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "too_little: nobody has talked yet: need 8 more raters and 80 more ratings" in ran.stdout
    told = learn(tmp_path, "status").stdout
    assert "nothing changed: too little to learn from" in told


def test_a_run_that_shall_wait_does_not_when_it_is_wanted_now(tmp_path: Path) -> None:
    settings = nights.home(
        tmp_path, players=3, turns=8, settings=nights.SETTINGS + "wait_while_serving = true\n"
    )
    talks(settings, datetime.now(UTC) + timedelta(hours=1))
    ran = learn(tmp_path, "run", "--now")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "too_little: need 5 more raters" in ran.stdout


def test_a_run_beside_another_one_has_a_status_of_its_own(tmp_path: Path) -> None:
    with lock.held(tmp_path / "learner"):
        ran = learn(tmp_path, "run")
    assert ran.returncode == BUSY
    assert "one run goes on at a time" in ran.stderr


def test_nights_are_turned_off_and_on(tmp_path: Path) -> None:
    told = learn(tmp_path, "schedule").stdout
    assert "every night at 04:30" in told
    assert "no server runs here" in told
    assert "turned off by admin" in learn(tmp_path, "schedule", "--off").stdout
    assert "turned off by admin" in learn(tmp_path, "schedule").stdout
    assert "turned off" not in learn(tmp_path, "schedule", "--on").stdout


def test_a_version_is_explained_by_its_card(tmp_path: Path) -> None:
    run(nights.home(tmp_path), "in a test", console=Console(quiet=True), stages=stages())
    assert "A card" in learn(tmp_path, "explain", "1").stdout
    told = learn(tmp_path, "status").stdout
    assert "promoted: it answers all players (version 1)" in told
    assert "11 held-out raters prefer it" in told


def test_a_version_without_evidence_is_not_verified(tmp_path: Path) -> None:
    run(nights.home(tmp_path), "in a test", console=Console(quiet=True), stages=stages())
    ran = learn(tmp_path, "verify", "1")
    assert ran.returncode == 2
    assert "townsfolk: " in ran.stderr
    assert "Traceback" not in ran.stderr


def test_settings_that_cannot_be_used_end_it_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "townsfolk.toml").write_text('[learn]\nzone = "Mars/Olympus"\nat = "25:00"\n')
    ran = learn(tmp_path, "run")
    assert ran.returncode == 2
    assert "learn.at" in ran.stderr
    (tmp_path / "townsfolk.toml").write_text('[learn]\nzone = "Mars/Olympus"\n')
    assert "learn.zone: 'Mars/Olympus' is no time zone" in learn(tmp_path, "run").stderr


def test_a_chosen_model_needs_its_weights(tmp_path: Path) -> None:
    (tmp_path / "townsfolk.toml").write_text('[model]\npath = "mine.gguf"\n')
    assert "learn.base: is empty" in learn(tmp_path, "run").stderr


def test_a_run_beyond_its_memory_ends_with_the_reason(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=nights.SETTINGS + "memory_mb = 1\n")
    ran = learn(tmp_path, "run")
    assert ran.returncode == 1
    told = learn(tmp_path, "status").stdout
    assert "failed: nothing changed" in told
    assert "MB in use, and 1 are allowed; raise learn.memory_mb" in told
    assert not settings.registry_path.exists()
