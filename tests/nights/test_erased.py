"""Who is erased is in no run's data and on no version's card, and versions made of their talk are marked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from agent_runtime.journal.views import Erasure
from agent_runtime.nights.erased import HOLDING, Purged, purge
from agent_runtime.registry.store import Registry
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
