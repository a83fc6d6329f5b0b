"""A night from beginning to end, killed in every stage of it, and all the ways in which it can end early."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import time
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct
from rich.console import Console

from agent_runtime import config
from agent_runtime.config import Settings
from agent_runtime.errors import NightBusy, NightError, TrainingError
from agent_runtime.journal.consent import decide
from agent_runtime.journal.sealed import read_manifest as read_snapshot_manifest
from agent_runtime.journal.writer import Journal
from agent_runtime.models import embedded_model
from agent_runtime.nights import runs
from agent_runtime.nights.runs import STAGES, Outcome
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import read_manifest
from learner.job import judge, lock, work
from learner.job.limits import LOOK_SECONDS, Watch
from learner.job.run import Stage, run
from learner.job.work import Night
from tests.support import nights
from tests.support.night_child import When, killed
from tests.support.nights import SETTINGS, says, stages
from tests.support.rows import consent


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which people have talked, with the served model; to be copied."""
    home = nights.home(tmp_path_factory.mktemp("talked")).home
    embedded_model(home)
    return home


@pytest.fixture
def settings(talked: Path, tmp_path: Path) -> Settings:
    shutil.copytree(talked, tmp_path / "copy")
    return config.load(tmp_path / "copy")


def night(settings: Settings, **chosen: object) -> Outcome:
    return run(settings, "in a test", console=Console(quiet=True), **chosen)  # type: ignore[arg-type]


def registry(settings: Settings) -> Registry:
    return Registry(settings.registry_path)


def test_a_night_ends_with_a_new_champion(settings: Settings) -> None:
    outcome = night(settings, stages=stages())
    assert (outcome.ended, outcome.version) == ("promoted", 1), outcome
    assert registry(settings).state().champion == 1
    version = registry(settings).get(1)
    assert version.manifest
    assert version.manifest.learned == "ends with a wish"
    last = runs.latest(settings.learner_folder)
    assert last
    assert last.done == STAGES
    assert last.outcome == outcome


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("stage", STAGES)
def test_killed_in_any_stage_nothing_changes_and_the_next_run_ends_it(
    settings: Settings, stage: str, when: When
) -> None:
    killed(settings.home, stage, when)
    assert registry(settings).state().champion == (1 if (stage, when) == ("register", "after") else 0)
    last = runs.latest(settings.learner_folder)
    assert last
    assert (last.outcome, last.alive, last.stage) == (None, False, stage)
    again = night(settings, stages=stages())
    assert (again.ended, again.version) == ("promoted", 1)
    assert [version.number for version in registry(settings).versions()] == [0, 1]
    (only,) = runs.runs(settings.learner_folder)
    assert only.asked.deaths == (stage,)


def test_what_was_done_is_not_done_again(settings: Settings) -> None:
    def never(of: Night) -> Outcome:
        raise AssertionError("this was done")

    killed(settings.home, "export")
    done = {"snapshot": never, "dataset": never, "train": never}
    assert night(settings, stages=stages(**done)).ended == "promoted"


def test_what_kills_it_three_times_is_given_up_with_the_reason(settings: Settings) -> None:
    for _ in range(3):
        killed(settings.home, "train")
    outcome = night(settings, stages=stages())
    assert outcome.ended == "promoted"
    first, second = runs.runs(settings.learner_folder)
    assert first.outcome
    assert first.outcome.ended == "failed"
    assert first.outcome.summary == "killed during train, and not taken up again: it was killed 3 times"
    assert second.asked.deaths == ()


def test_a_killed_run_is_not_taken_up_with_other_settings(settings: Settings) -> None:
    killed(settings.home, "train")
    (settings.home / "townsfolk.toml").write_text(SETTINGS + "seed = 2\n")
    assert night(config.load(settings.home), stages=stages()).ended == "promoted"
    first, _ = runs.runs(settings.learner_folder)
    assert first.outcome
    assert "settings or the base changed" in first.outcome.summary


def test_a_killed_run_whose_snapshot_went_with_an_erased_player_begins_anew(settings: Settings) -> None:
    killed(settings.home, "train")
    shutil.rmtree(settings.home / "snapshots")
    assert night(settings, stages=stages()).ended == "promoted"
    first, _ = runs.runs(settings.learner_folder)
    assert first.outcome
    assert first.outcome.ended == "failed"
    assert "deleted with a player who was erased" in first.outcome.summary


def withdraws(settings: Settings, player: str) -> None:
    async def add() -> None:
        journal = Journal.open(settings.journal_path)
        await decide(journal, consent(900_001, "withdraw", player))
        await journal.close()

    asyncio.run(add())


def test_who_withdraws_before_the_data_is_made_is_not_in_it(settings: Settings) -> None:
    killed(settings.home, "dataset")
    (snapshot,) = (settings.home / "snapshots").iterdir()
    player = min(read_snapshot_manifest(snapshot).players)
    withdraws(settings, player)
    assert night(settings, stages=stages()).ended == "promoted"
    made = registry(settings).get(1).manifest
    assert made
    assert player not in made.trained_on + made.judged_by


@pytest.mark.parametrize("stage", ["train", "evaluate", "register"])
def test_a_killed_run_with_the_data_of_who_withdrew_begins_anew(settings: Settings, stage: str) -> None:
    killed(settings.home, stage)
    (run_,) = runs.runs(settings.learner_folder)
    player = read_manifest(run_.folder / "dataset").players[0]
    withdraws(settings, player)
    assert night(settings, stages=stages()).ended == "promoted"
    first, _ = runs.runs(settings.learner_folder)
    assert first.outcome
    assert first.outcome.ended == "failed"
    assert "was erased or withdrew; the next run begins anew" in first.outcome.summary
    made = registry(settings).get(1).manifest
    assert made
    assert player not in made.trained_on + made.judged_by


@pytest.mark.parametrize(("stage", "real"), [("train", work.training), ("register", judge.register)])
def test_who_withdraws_while_a_run_goes_on_is_neither_trained_on_nor_registered(
    settings: Settings, stage: str, real: Stage
) -> None:
    def meanwhile(of: Night) -> Struct:
        withdraws(settings, read_manifest(of.folder.path / "dataset").players[0])
        return real(of)

    outcome = night(settings, stages=stages(**{stage: meanwhile}))
    assert (outcome.ended, outcome.stage) == ("failed", stage)
    assert "was erased or withdrew" in outcome.summary
    assert registry(settings).state().entries == ()


@pytest.mark.parametrize("reason", ["nan", "no_progress", "out_of_memory", "no_data"])
def test_a_training_that_fails_leaves_its_reason(settings: Settings, reason: str) -> None:
    def fails(of: Night) -> Outcome:
        raise TrainingError(reason, "the loss is nan at step 7 of 90; lower schedule.learning_rate")

    outcome = night(settings, stages=stages(train=fails))
    assert (outcome.ended, outcome.reason, outcome.stage) == ("failed", reason, "train")
    assert outcome.summary.startswith("train: the loss is nan at step 7")
    assert registry(settings).state().entries == ()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA error: out of memory")])
def test_memory_that_cannot_be_had_is_a_reason_too(settings: Settings, error: Exception) -> None:
    def fails(of: Night) -> Outcome:
        raise error

    outcome = night(settings, stages=stages(train=fails))
    assert outcome.reason == "out_of_memory"
    assert outcome.summary.endswith("; raise learn.memory_mb, or take a machine with more memory")


def test_a_full_disk_is_a_reason_of_its_own(settings: Settings) -> None:
    def fails(of: Night) -> Outcome:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "step-90.bin")

    outcome = night(settings, stages=stages(train=fails))
    assert (outcome.ended, outcome.reason, outcome.stage) == ("failed", "disk", "train")
    assert "No space left on device: 'step-90.bin'; make room" in outcome.summary


def test_an_outcome_that_cannot_be_written_is_told(settings: Settings) -> None:
    def fails(of: Night) -> Outcome:
        shutil.rmtree(of.folder.path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(NightError, match=r"No such file or directory.*; make room"):
        night(settings, stages=stages(train=fails))
    assert night(settings, stages=stages()).ended == "promoted"


def test_a_night_with_a_bug_of_ours_ends_with_a_reason(settings: Settings) -> None:
    def fails(of: Night) -> Outcome:
        raise ZeroDivisionError

    outcome = night(settings, stages=stages(train=fails))
    assert (outcome.ended, outcome.reason) == ("failed", "bug")


def test_nobody_has_talked(tmp_path: Path) -> None:
    outcome = night(nights.home(tmp_path, players=0))
    assert outcome.ended == "too_little"
    assert outcome.summary == "nobody has talked yet: need 8 more raters and 80 more ratings"
    assert not (tmp_path / "registry").exists()


def test_too_few_have_rated(tmp_path: Path) -> None:
    outcome = night(nights.home(tmp_path, players=3, turns=8))
    assert outcome.ended == "too_little"
    assert outcome.summary.startswith("need 5 more raters and ")
    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize(("said", "ended"), [("refused", "refused"), ("inconclusive", "kept")])
def test_what_the_gate_does_not_pass_is_kept_for_admins_to_see(
    settings: Settings, said: str, ended: str
) -> None:
    outcome = night(settings, stages=stages(said))
    assert (outcome.ended, outcome.version) == (ended, 1)
    assert registry(settings).state().champion == 0
    assert registry(settings).get(1).manifest


def test_a_version_that_passed_is_tried_by_some_players_first(settings: Settings) -> None:
    (settings.home / "townsfolk.toml").write_text(SETTINGS.replace("promote", "canary") + "share = 10\n")
    outcome = night(config.load(settings.home), stages=stages())
    assert outcome.ended == "canary"
    state = registry(settings).state()
    assert (state.champion, state.challenger, state.share) == (0, 1, 0.1)
    second = night(config.load(settings.home), stages=stages(gate=says("passed", "again")))
    assert second.ended == "kept"
    assert (
        "version 1 was on trial when it was judged, and is not disturbed; `townsfolk promote 2`"
        in second.summary
    )


def test_an_admin_who_promotes_meanwhile_is_not_overruled(settings: Settings) -> None:
    night(settings, stages=stages("inconclusive"))

    def meanwhile(of: Night) -> Outcome:
        found = says("passed", "again")(of)
        of.registry.promote(1, expected=0, who="admin eve", why="I like it")
        return found  # type: ignore[return-value]

    outcome = night(settings, stages=stages(gate=meanwhile))
    assert outcome.ended == "kept"
    assert "judged against version 0, and 1 serves now" in outcome.summary
    assert registry(settings).state().champion == 1


def test_a_dry_run_registers_nothing(settings: Settings) -> None:
    outcome = night(settings, dry=True, stages=stages())
    assert outcome.ended == "kept"
    assert outcome.summary == ("nothing was registered; the gate says passed: 11 held-out raters prefer it")
    assert registry(settings).state().entries == ()


@pytest.mark.parametrize("late", ["in register", "in tidy"])
def test_a_limit_passed_once_something_was_decided_ends_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    ends: list[int] = []
    watches: list[Watch] = []

    def passes_its_limit() -> None:
        monkeypatch.setattr(watches[0], "_seconds", 0.0)
        time.sleep(3 * LOOK_SECONDS)

    def register(of: Night) -> Struct:
        watches.append(of.watch)
        found = judge.register(of)
        if late == "in register":
            passes_its_limit()
        return found

    def cleared(*of: object) -> None:
        if late == "in tidy":
            passes_its_limit()

    monkeypatch.setattr("learner.job.run.Watch", partial(Watch, end=ends.append))
    monkeypatch.setattr("learner.job.run.tidy", cleared)
    outcome = night(settings, stages=stages(register=register))
    assert (outcome.ended, outcome.version) == ("promoted", 1)
    assert not ends
    last = runs.latest(settings.learner_folder)
    assert last
    assert last.outcome == outcome


def test_one_run_at_a_time(settings: Settings) -> None:
    with lock.held(settings.learner_folder), pytest.raises(NightBusy, match="learns since"):
        night(settings, stages=stages())
    assert night(settings, stages=stages()).ended == "promoted"
