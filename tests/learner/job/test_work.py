"""What the first stages take of the settings, and what they tell of data that does not suffice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import Struct
from rich.console import Console

from agent_runtime.config import Settings
from agent_runtime.nights import runs
from agent_runtime.nights.runs import Outcome
from learner.dataset.manifest import read_manifest
from learner.job import quiet
from learner.job.run import Stage, run
from learner.job.told import run_lines
from learner.job.work import DATASET, Night, Sealed
from tests.support import nights
from tests.support.nights import SETTINGS, stages, talks
from tests.support.ratings import make_journal, population


def night(settings: Settings, **instead: Stage) -> Outcome:
    return run(settings, "in a test", console=Console(quiet=True), stages=stages(**instead))


def test_a_new_server_is_told_that_its_players_wait(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, players=0)
    make_journal(tmp_path, population(5, 2, newcomers=9), seed=5, turns=12, end=datetime.now(UTC))
    outcome = night(settings)
    assert outcome.ended == "too_little"
    assert outcome.summary.startswith("need 6 more raters and ")
    assert re.search(r"; \d+ wait: \d+ of players who were here for less than 20 hours", outcome.summary)
    last = runs.latest(settings.learner_folder)
    assert last
    assert outcome.summary in "\n".join(run_lines(last)), "as `learn status` tells it"


@pytest.mark.parametrize(("consent", "silent", "used"), [("ask", 3, 9), ("opt-out", 0, 12)])
def test_whose_talk_is_used_without_their_word_is_the_admins_setting(
    tmp_path: Path, consent: str, silent: int, used: int
) -> None:
    told = f'{SETTINGS}[privacy]\nconsent = "{consent}"\n'
    settings = nights.home(tmp_path, players=0, settings=told)
    make_journal(tmp_path, population(5, 9, unconsenting=3, noise=0.0), seed=5, turns=20)
    found: list[Sealed] = []

    def looks(of: Night) -> Struct:
        found.append(of.folder.result("snapshot", Sealed))
        assert len(read_manifest(of.folder.path / DATASET).players) == used
        return nights.trained(of)

    assert night(settings, train=looks).ended == "promoted"
    assert (found[0].players, found[0].without_consent) == (used, silent)


def test_a_stage_pauses_at_its_next_step_while_players_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS + "wait_while_serving = true\n")
    monkeypatch.setattr(quiet, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(quiet, "QUIET", timedelta(seconds=1))

    def steps(of: Night) -> Struct:
        said_at = datetime.now(UTC)
        talks(settings, said_at)
        of.tick(0.5, "step 1 of 2")
        assert datetime.now(UTC) - said_at >= quiet.QUIET
        return nights.trained(of)

    assert night(settings, train=steps).ended == "promoted"


def test_a_stage_goes_on_while_players_talk_unless_it_is_told_to_wait(tmp_path: Path) -> None:
    settings = nights.home(tmp_path)

    def steps(of: Night) -> Struct:
        talks(settings, datetime.now(UTC) + timedelta(seconds=20))
        of.tick(0.5, "step 1 of 2")
        assert quiet.talked_lately(settings)
        return nights.trained(of)

    assert night(settings, train=steps).ended == "promoted"
