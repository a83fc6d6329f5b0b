"""What is kept of earlier nights, and what goes."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from rich.console import Console

from agent_runtime import config
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.source import forget
from agent_runtime.nights import runs
from agent_runtime.nights.erased import HOLDING
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import read_manifest
from learner.job.judge import JUDGED, STAGED
from learner.job.keep import tidy
from learner.job.retraining import WITHOUT
from learner.job.run import run
from learner.job.work import DATASET, TRAINING, Night
from tests.support import nights
from tests.support.nights import SETTINGS, stages
from tests.support.rows import ulid


def erasure(player: str) -> ConsentRow:
    return ConsentRow(id=ulid(9), player=player, choice="erase", decided_at=datetime.now(UTC))


def test_the_newest_runs_stay_and_those_behind_a_version_in_use(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "keep_runs = 1\n")
    quiet = Console(quiet=True)
    for said in ("passed", "inconclusive", "inconclusive"):
        run(settings, "in a test", console=quiet, stages=stages(said))
    kept = runs.runs(settings.learner_folder)
    assert [each.outcome and each.outcome.version for each in kept] == [1, 3], kept
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_a_copied_home_removes_its_own_snapshots_and_no_others(tmp_path: Path) -> None:
    home, copied = tmp_path / "server", tmp_path / "copied"
    home.mkdir()
    settings = nights.home(home, settings=SETTINGS + "keep_runs = 1\n")
    quiet = Console(quiet=True)
    run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    (sealed,) = (home / "snapshots").iterdir()
    shutil.copytree(home, copied)
    run(config.load(copied), "in a test", console=quiet, stages=stages("inconclusive"))
    assert sealed.exists()
    assert sealed.name not in [path.name for path in (copied / "snapshots").iterdir()]


def test_a_damaged_run_keeps_no_other_from_being_removed(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "keep_runs = 1\n")
    quiet = Console(quiet=True)
    for _ in range(2):
        run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    (kept,) = runs.runs(settings.learner_folder)
    (kept.folder / DATASET / "manifest.json").write_text("{")
    (kept.folder / DATASET / "manifest.json").chmod(0o600)
    run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    assert [each.asked.id[:5] for each in runs.runs(settings.learner_folder)] == ["00003"]


def test_old_runs_without_a_version_go_too(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, players=0, settings=SETTINGS + "keep_runs = 2\n")
    for _ in range(4):
        assert run(settings, "in a test", console=Console(quiet=True)).ended == "too_little"
    assert [each.asked.id[:5] for each in runs.runs(settings.learner_folder)] == ["00003", "00004"]


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
    forget(settings.journal_path, [erasure(player)])
    assert (first.folder / TRAINING).exists()
    run(settings, "in a test", console=quiet, stages=stages("inconclusive"))
    assert not any((first.folder / name).exists() for name in (DATASET, TRAINING, STAGED))
    first, second = runs.runs(settings.learner_folder)
    assert first.outcome
    assert player not in read_manifest(second.folder / DATASET).players
    registry = Registry(settings.registry_path)
    made = registry.get(1).manifest
    assert made
    assert player in made.trained_on + made.judged_by
    assert list(registry.state().marked) == [1], "the second night is without them"
    registry.verify(registry.get(1))


def test_a_player_who_is_erased_while_a_night_goes_on_is_in_no_version(tmp_path: Path) -> None:
    settings = nights.home(tmp_path)

    def erased_meanwhile(night: Night) -> Struct:
        player = read_manifest(night.folder.path / DATASET).players[0]
        forget(settings.journal_path, [erasure(player)])
        return nights.evaluated(night)

    said = run(settings, "", console=Console(quiet=True), stages=stages(evaluate=erased_meanwhile))
    assert said.ended == "failed"
    assert "was erased" in said.summary
    assert [version.number for version in Registry(settings.registry_path).versions()] == [0]
    (only,) = runs.runs(settings.learner_folder)
    assert not any((only.folder / name).exists() for name in HOLDING)


def test_the_learners_folders_of_talk_are_those_that_an_erasure_deletes() -> None:
    assert set(HOLDING) == {DATASET, TRAINING, WITHOUT, JUDGED, STAGED}


def test_data_of_a_version_that_was_taken_back_is_not_promoted_again_by_itself(tmp_path: Path) -> None:
    settings = nights.home(tmp_path)
    registry, quiet = Registry(settings.registry_path), Console(quiet=True)
    assert run(settings, "", console=quiet, stages=stages()).ended == "promoted"
    registry.rollback(who="ann", why="it swears")
    again = run(settings, "", console=quiet, stages=stages())
    assert again.ended == "kept"
    assert "its data is flagged: it swears" in again.summary
    registry.unban(1, who="ann", why="it was not that one")
    assert run(settings, "", console=quiet, stages=stages()).ended == "promoted"


def test_an_erasure_takes_the_data_of_a_version_that_was_taken_back_and_not_the_flag(tmp_path: Path) -> None:
    settings = nights.home(tmp_path)
    registry, quiet = Registry(settings.registry_path), Console(quiet=True)
    assert run(settings, "", console=quiet, stages=stages()).ended == "promoted"
    (first,) = runs.runs(settings.learner_folder)
    player = read_manifest(first.folder / DATASET).players[0]
    registry.rollback(who="ann", why="it swears")
    forget(settings.journal_path, [erasure(player)])
    tidy(settings, registry)
    assert not (first.folder / DATASET).exists()
    again = run(settings, "", console=quiet, stages=stages())
    assert again.ended == "kept"
    assert "% of its data is that of a version which was taken back: it swears" in again.summary
    assert registry.state().champion == 0


def test_a_version_whose_run_is_gone_is_promoted_and_taken_back_all_the_same(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "keep_runs = 1\n")
    registry, quiet = Registry(settings.registry_path), Console(quiet=True)
    for _ in range(2):
        assert run(settings, "", console=quiet, stages=stages("inconclusive")).ended == "kept"
    (second,) = runs.runs(settings.learner_folder)
    assert second.outcome
    assert second.outcome.version == 2, "the run of version 1 is gone"
    player = read_manifest(second.folder / DATASET).players[0]
    registry.promote(1, expected=0, who="ann", why="I like it")
    registry.rollback(who="ann", why="it swears")
    forget(settings.journal_path, [erasure(player)])
    tidy(settings, registry)
    again = run(settings, "", console=quiet, stages=stages())
    assert again.ended == "kept"
    assert "% of its data is that of a version which was taken back: it swears" in again.summary
