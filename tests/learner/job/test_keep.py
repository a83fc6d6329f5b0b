"""What is kept of earlier nights, and what goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from agent_runtime import config
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.source import forget
from agent_runtime.nights import runs
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import read_manifest
from learner.job.judge import STAGED
from learner.job.run import run
from learner.job.work import DATASET, TRAINING
from tests.support import nights
from tests.support.nights import SETTINGS, stages
from tests.support.rows import ulid


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


def test_no_run_keeps_a_word_of_a_player_who_was_erased(tmp_path: Path) -> None:
    settings = nights.home(tmp_path)
    quiet = Console(quiet=True)
    run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    (first,) = runs.runs(settings.learner_folder)
    player = read_manifest(first.folder / DATASET).players[0]
    row = ConsentRow(id=ulid(9), player=player, choice="erase", decided_at=datetime.now(UTC))
    forget(settings.journal_path, [row])
    assert (first.folder / TRAINING).exists()
    run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    assert not any((first.folder / name).exists() for name in (DATASET, TRAINING, STAGED))
    first, second = runs.runs(settings.learner_folder)
    assert first.outcome
    assert player not in read_manifest(second.folder / DATASET).players
