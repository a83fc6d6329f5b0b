"""What a night makes of evidence: what it spends, and what it says of too few raters."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from rich.console import Console

from agent_runtime import config
from agent_runtime.registry.store import Registry
from learner.gate.evidence import FOLDER, write_evidence
from learner.gate.spending import read_looks
from learner.job import judge
from learner.job.judge import JUDGED
from learner.job.run import Stage, run
from learner.job.work import Night
from learner.train.log import PICTURE
from tests.support import nights, simulated


def trained(night: Night) -> Struct:
    """A training that left the files which belong to a version."""
    (night.folder.path / "train" / "adapter").mkdir(parents=True)
    (night.folder.path / "train" / PICTURE).write_bytes(b"a picture")
    return nights.trained(night)


def judged_by(raters: int) -> dict[str, Stage]:
    """Stages of a night with the real gate, on simulated evidence of so many held-out raters."""

    def evaluated(night: Night) -> Struct:
        write_evidence(night.folder.path / JUDGED / FOLDER, simulated.night(1, raters=raters))
        return nights.evaluated(night)

    return {**nights.stages(), "train": trained, "evaluate": evaluated, "gate": judge.gate}


def liked_better(night: Night) -> Struct:
    write_evidence(night.folder.path / JUDGED / FOLDER, simulated.night(1, raters=40, effect=0.15))
    return nights.evaluated(night)


def test_the_card_says_of_a_training_that_its_time_was_over(tmp_path: Path) -> None:
    def broken_off(night: Night) -> Struct:
        return msgspec.structs.replace(trained(night), reason="time_budget")

    settings = nights.home(tmp_path)
    stages = {**judged_by(40), "train": broken_off}
    run(settings, "in a test", console=Console(quiet=True), stages=stages)
    folder = Registry(settings.registry_path).get(1).folder
    assert folder
    assert "3 steps in 0 s, when its time was over (cpu," in (folder / "card.md").read_text()


@pytest.mark.parametrize(("dry", "looks"), [(True, 0), (False, 1)])
def test_only_a_night_that_registers_its_version_is_a_look(tmp_path: Path, dry: bool, looks: int) -> None:
    settings = nights.home(tmp_path)
    outcome = run(settings, "in a test", dry=dry, console=Console(quiet=True), stages=judged_by(40))
    assert outcome.ended == "kept", outcome
    assert len(read_looks(settings.registry_path)) == looks


@pytest.mark.parametrize("dry", [True, False])
def test_a_night_with_too_few_raters_says_how_many_players_are_missing(tmp_path: Path, dry: bool) -> None:
    settings = nights.home(tmp_path, players=12)
    outcome = run(settings, "in a test", dry=dry, console=Console(quiet=True), stages=judged_by(4))
    assert outcome.ended == "kept"
    assert "too few held-out raters" in outcome.summary
    assert "they can be asked once 6 more players have rated" in outcome.summary


@pytest.mark.parametrize("passed", ["canary", "promote"])
def test_a_night_beside_a_trial_spends_nothing_and_disturbs_nothing(tmp_path: Path, passed: str) -> None:
    settings = nights.home(tmp_path, settings=nights.SETTINGS.replace("promote", "canary"))
    quiet = Console(quiet=True)
    assert run(settings, "in a test", console=quiet, stages=nights.stages()).ended == "canary"
    (tmp_path / "townsfolk.toml").write_text(nights.SETTINGS.replace("promote", passed))
    settings = config.load(tmp_path)
    better = {**judged_by(40), "evaluate": liked_better}

    def ended(night: Night) -> Struct:
        found = judge.gate(night)
        night.registry.drop(1, who="ann", why="it swears")
        return found

    outcome = run(settings, "in a test", console=quiet, stages={**better, "gate": ended})
    assert outcome.ended == "kept"
    assert "version 1 was on trial when it was judged" in outcome.summary
    assert not read_looks(settings.registry_path)
    outcome = run(settings, "in a test", console=quiet, stages=better)
    assert (outcome.ended, outcome.version) == ({"canary": "canary", "promote": "promoted"}[passed], 3)
    assert len(read_looks(settings.registry_path)) == 1
