"""How many players a night tests on, and what is said when there are too few of them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from agent_runtime.nights import runs
from agent_runtime.nights.erased import DATASET
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import read_manifest
from learner.dataset.settings import DatasetSettings
from learner.gate.judge import judge
from learner.gate.spending import Look, record, share
from learner.gate.statistics import fewest_values
from learner.gate.verdict import GateSettings
from learner.job.heldout import held_out, more_players
from learner.job.run import run
from tests.support import nights
from tests.support.nights import stages
from tests.support.simulated import night


def looked(registry: Path, times: int) -> Registry:
    """A registry whose bare base was asked about so often."""
    for number in range(times):
        record(registry, Look("", f"challenger {number}", 0.01, 0.3))
    return Registry(registry)


def test_the_first_look_tests_on_as_many_as_the_settings_say(tmp_path: Path) -> None:
    assert held_out(DatasetSettings(), 0.05, looked(tmp_path, 0)) == DatasetSettings()
    many = DatasetSettings(test_raters=40)
    assert held_out(many, 0.05, looked(tmp_path, 0)) == many


def test_later_looks_test_on_more_than_the_least_that_can_prove_anything(tmp_path: Path) -> None:
    for times in (5, 17, 60):
        found = held_out(DatasetSettings(), 0.05, looked(tmp_path / str(times), times))
        assert found.test_raters > fewest_values(0.05 * share(times + 1))
        assert judge(night(3, raters=found.test_raters, effect=0.45), look=times + 1).asked


def test_a_night_holds_out_what_its_look_takes(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, players=36, turns=8)
    looked(settings.registry_path, 8)
    run(settings, "in a test", console=Console(quiet=True), stages=stages("inconclusive"))
    last = runs.latest(settings.learner_folder)
    assert last
    made = read_manifest(last.folder / DATASET)
    assert made.settings.test_raters == 15
    assert made.parts["test"].players == len(made.players) // 3


def test_players_are_asked_for_where_a_third_of_them_is_too_few() -> None:
    few = judge(night(3, raters=10), look=9)
    assert "more held-out raters needed" in few.summary
    assert "once 3 more players have rated, since no more than one in three" in more_players(few, 30)
    assert "once 1 more player has rated" in more_players(few, 32)
    assert more_players(few, 33) == ""
    assert more_players(judge(night(3, raters=10), look=8), 30) == "", "ten can tell"
    vetoed = judge(night(3, raters=10, harmed=(("refusal", 0.3),)), look=9)
    assert more_players(vetoed, 30) == "", "nothing is missing"
    assert more_players(judge(night(3, raters=10), GateSettings(), look=1000), 30) == ""
