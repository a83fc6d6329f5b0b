"""What a run leaves is read again, also when it is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import NightBusy
from agent_runtime.nights import runs
from agent_runtime.nights.runs import Asked, Outcome
from learner.job import lock

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def made(learner: Path, id: str, outcome: Outcome | None = None, done: tuple[str, ...] = ()) -> Path:
    folder = learner / runs.RUNS / id
    folder.mkdir(parents=True)
    asked = Asked(id=id, began=NOW, why="nightly", key="k", seed=1)
    (folder / runs.ASKED).write_bytes(msgspec.json.encode(asked))
    for stage in done:
        (folder / f"{stage}.json").write_text("{}")
    if outcome:
        (folder / runs.OUTCOME).write_bytes(msgspec.json.encode(outcome))
    return folder


def test_no_run_yet(tmp_path: Path) -> None:
    assert runs.latest(tmp_path) is None
    assert runs.holder(tmp_path) is None


def test_no_run_begins_while_it_is_held_off_and_one_that_goes_on_is_told(tmp_path: Path) -> None:
    with runs.held_off(tmp_path) as nobody_runs:
        assert nobody_runs
    with lock.held(tmp_path), runs.held_off(tmp_path) as nobody_runs:
        assert not nobody_runs
    with (
        runs.held_off(tmp_path) as nobody_runs,
        pytest.raises(NightBusy),
        lock.held(tmp_path),
    ):
        raise AssertionError("it began")
    assert nobody_runs


def test_the_newest_run_its_stage_and_its_end(tmp_path: Path) -> None:
    made(tmp_path, "00001-a", Outcome("failed", "train: out of memory", NOW))
    made(tmp_path, "00002-b", done=("snapshot", "dataset"))
    first, last = runs.runs(tmp_path)
    assert first.outcome
    assert first.outcome.ended == "failed"
    assert (last.asked.id, last.stage, last.outcome, last.alive) == ("00002-b", "train", None, False)


@pytest.mark.parametrize(
    ("asked", "hours", "taken_up"),
    [
        ({}, 5, True),
        ({}, 7, False),
        ({}, -7, False),
        ({"dry": True}, 1, False),
        ({"deaths": ("train",)}, 1, True),
        ({"deaths": ("train", "train")}, 1, False),
    ],
)
def test_an_interrupted_run_may_go_on_unasked(
    tmp_path: Path, asked: dict[str, object], hours: int, taken_up: bool
) -> None:
    folder = made(tmp_path, "00001-a", Outcome("kept", "", NOW)).parent / "00002-b"
    assert not runs.interrupted(tmp_path, timedelta(hours=6), NOW)
    run = Asked(id="00002-b", began=NOW, why="nightly", key="k", seed=1)
    folder.mkdir()
    (folder / runs.ASKED).write_bytes(msgspec.json.encode(msgspec.structs.replace(run, **asked)))
    found = runs.interrupted(tmp_path, timedelta(hours=6), NOW + timedelta(hours=hours))
    assert (found is not None) == taken_up


def test_a_run_that_goes_on_or_has_ended_was_not_interrupted(tmp_path: Path) -> None:
    assert not runs.interrupted(tmp_path, timedelta(hours=6), NOW)
    folder = made(tmp_path, "00001-a")
    assert runs.interrupted(tmp_path, timedelta(hours=6), NOW)
    with lock.held(tmp_path):
        assert not runs.interrupted(tmp_path, timedelta(hours=6), NOW)
    (folder / runs.OUTCOME).write_bytes(msgspec.json.encode(Outcome("failed", "", NOW)))
    assert not runs.interrupted(tmp_path, timedelta(hours=6), NOW)


def test_a_run_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    made(tmp_path, "00001-a")
    (made(tmp_path, "00002-b") / runs.ASKED).write_text("{")
    assert [run.asked.id for run in runs.runs(tmp_path)] == ["00001-a"]


def test_progress_that_a_power_cut_left_empty_hides_no_run(tmp_path: Path) -> None:
    made(tmp_path, "00001-a")
    (tmp_path / runs.PROGRESS).touch()
    with lock.held(tmp_path):
        (run,) = runs.runs(tmp_path)
    assert (run.alive, run.progress) == (True, None)
