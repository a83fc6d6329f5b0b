"""What is kept of earlier nights, and what goes."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from agent_runtime import config
from agent_runtime.nights import runs
from agent_runtime.registry.store import Registry
from learner.job.run import run
from tests.support import nights
from tests.support.nights import SETTINGS, stages


def test_the_newest_runs_stay_and_those_behind_a_version_in_use(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "keep_runs = 1\n")
    quiet = Console(quiet=True)
    for said in ("passed", "inconclusive", "inconclusive"):
        run(settings, "in a test", console=quiet, stages=stages(said))
    kept = runs.runs(settings.learner_folder)
    assert [each.outcome and each.outcome.version for each in kept] == [1, 3], kept
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_versions_go_by_the_registrys_rule(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "[registry]\nkeep = 0\nkeep_days = 0\n")
    for _ in range(2):
        run(settings, "in a test", console=Console(quiet=True), stages=stages("inconclusive"))
    registry = Registry(config.load(tmp_path).registry_path)
    assert [version.number for version in registry.versions()] == [0]
    assert registry.audit()[-1].why == "too old"
