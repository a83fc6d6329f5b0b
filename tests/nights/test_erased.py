"""Who is erased is in no run's data and on no version's card, and versions made of their talk are marked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent_runtime.errors import NightError
from agent_runtime.files import set_aside
from agent_runtime.journal.views import Erasure
from agent_runtime.nights.erased import HOLDING, Purged, purge
from agent_runtime.registry.store import Registry
from learner.job.lock import held
from tests.support.nights import SEALED, run_of
from tests.support.versions import added

ANN = {"ann": Erasure("ann", SEALED - timedelta(hours=1), 4)}
"""Ann was erased as the fourth; the clock was set back before."""


def test_only_what_holds_them_goes_and_is_marked(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    sealed = {"data_at": SEALED, "data_erasures": 3}
    added(registry, **sealed, trained_on=("ann",), judged_by=("bert",))
    added(registry, **sealed, trained_on=("bert",), judged_by=("ann",))
    added(registry, **sealed, trained_on=("bert",))
    added(registry)
    theirs, others = run_of(tmp_path, "00001", "ann", "bert"), run_of(tmp_path, "00002", "bert")
    found = purge(tmp_path, registry, ANN, "server")
    assert found == Purged(("00001",), (1, 2))
    assert list(registry.state().marked) == [1, 2]
    assert [path.name for path in theirs.iterdir()] == ["run.json"], "the account of the run stays"
    assert all((others / holding / "words.jsonl").exists() for holding in HOLDING)
    assert purge(tmp_path, registry, ANN, "server") == Purged()


def test_who_was_erased_before_and_came_back_may_be_learned_from(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry, data_at=SEALED, data_erasures=4, trained_on=("ann",))
    run_of(tmp_path, "00001", "ann", erasures=4)
    assert purge(tmp_path, registry, ANN, "server") == Purged()


def test_of_what_was_made_before_erasures_were_counted_the_clock_tells(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry, data_at=SEALED, trained_on=("ann",))
    added(registry, data_at=SEALED - timedelta(hours=2), trained_on=("ann",))
    run_of(tmp_path, "00001", "ann", erasures=None)
    assert purge(tmp_path, registry, ANN, "server") == Purged(versions=(2,))


def test_what_a_killed_run_left_of_data_goes_whomever_it_holds(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    halved, unfinished = run_of(tmp_path, "00001", "bert"), run_of(tmp_path, "00002", "bert")
    (halved / "dataset" / "manifest.json").unlink()
    set_aside(halved / "training")
    (unfinished / ".dataset.0a1b").mkdir()
    (unfinished / ".dataset.0a1b" / "train.jsonl").write_text("my secret")
    assert purge(tmp_path, registry, {}, "server").runs == ("00001", "00002")
    assert [path.name for path in halved.iterdir()] == ["run.json"]
    assert {path.name for path in unfinished.iterdir()} == {"run.json", *HOLDING}


def test_what_a_killed_process_left_of_a_version_goes_unless_a_run_goes_on(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    left = tmp_path / "registry" / "staging" / "tmp0a1b"
    left.mkdir()
    (left / "card.md").write_text("my secret")
    with held(tmp_path):
        purge(tmp_path, registry, ANN, "server")
    assert left.exists()
    purge(tmp_path, registry, {}, "server")
    assert left.exists(), "nobody was erased"
    purge(tmp_path, registry, ANN, "server")
    assert not left.exists()


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    run_of(tmp_path, "00001", "ann")
    running = run_of(tmp_path, "00002", "ann")
    (running / ".dataset.0a1b").mkdir()
    with held(tmp_path):
        assert purge(tmp_path, registry, ANN, "server").runs == ("00001",)
    assert (running / ".dataset.0a1b").exists()
    assert purge(tmp_path, registry, ANN, "server").runs == ("00002",)


def test_one_damaged_manifest_keeps_nothing_else(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry, data_at=SEALED, data_erasures=3, trained_on=("ann",))
    damaged, good = run_of(tmp_path, "00001", "ann"), run_of(tmp_path, "00002", "ann")
    (damaged / "dataset" / "manifest.json").write_text("{")
    with pytest.raises(NightError, match=r"00001.*remove that run's folder"):
        purge(tmp_path, registry, ANN, "server")
    assert [path.name for path in good.iterdir()] == ["run.json"]
    assert list(registry.state().marked) == [1]


def test_a_version_that_cannot_be_read_is_named_and_keeps_nothing_else(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    damaged, _ = (
        added(registry, b"GGUF %d" % number, data_at=SEALED, data_erasures=3, trained_on=("ann",))
        for number in range(2)
    )
    assert damaged.folder
    (damaged.folder / "manifest.json").unlink()
    with pytest.raises(NightError, match=rf"{damaged.id}: manifest.json.*delete its folder"):
        purge(tmp_path, registry, ANN, "server")
    assert list(registry.state().marked) == [2]
    assert purge(tmp_path, registry, {}, "server") == Purged(), "nobody was erased"
