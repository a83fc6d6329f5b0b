"""New data is compared with what was taken back: with the turns that a version keeps, or those of its run;
runs whose data is not whole are passed over."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from agent_runtime.files import digest
from agent_runtime.nights.erased import DATASET
from agent_runtime.npc.prompt import Message
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import FORMAT, PARTS, Manifest, Part, read_manifest
from learner.dataset.settings import DatasetSettings
from learner.examples import Example, write_examples
from learner.job.flagged import TURNS, doubt, write_turns
from tests.support.nights import SEALED, run_of
from tests.support.versions import staged


def run_with(learner: Path, name: str, turns: Sequence[str]) -> Path:
    """A run's dataset, of these turns."""
    folder = run_of(learner, name) / DATASET
    parts = {}
    for part in PARTS:
        path = folder / f"{part}.jsonl"
        said = [
            Example(f"{turn}:{part}", "thumb", (Message("system", "s"),), "Aye.", rater="ann")
            for turn in turns
        ]
        write_examples(path, said)
        parts[part] = Part(digest(path), {"thumb": len(said)}, 1)
    told = Manifest(
        format=FORMAT,
        snapshot="s",
        snapshot_digest="d",
        snapshot_at=SEALED,
        settings=DatasetSettings(),
        funnel=(),
        redacted={},
        raters={},
        players=("ann",),
        versions={},
        parts=parts,
    )
    (folder / "manifest.json").write_bytes(msgspec.json.encode(told))
    return folder


def taken_back(home: Path, dataset: Path, *, keeps_turns: bool = True) -> Registry:
    """A registry with a version of this data, which was banned. Those of older releases keep no turns."""
    registry = Registry(home / "registry")
    draft = staged(home / "staged", dataset=read_manifest(dataset).digest)
    if keeps_turns:
        write_turns(dataset, home / "staged")
    registry.ban(registry.add(home / "staged", draft).number, who="ann", why="it swears")
    return registry


@pytest.mark.parametrize("keeps_turns", [True, False])
def test_data_that_is_mostly_that_of_a_version_taken_back_is_doubted(
    tmp_path: Path, keeps_turns: bool
) -> None:
    registry = taken_back(tmp_path, run_with(tmp_path, "00001", ["a", "b", "c"]), keeps_turns=keeps_turns)
    mostly, hardly = (
        run_with(tmp_path, "00002", ["a", "b", "d"]),
        run_with(tmp_path, "00003", ["a", "d", "e"]),
    )
    said = doubt(registry, tmp_path, mostly)
    assert said == "67% of its data is that of a version which was taken back: it swears"
    assert doubt(registry, tmp_path, hardly) == ""
    again = run_with(tmp_path, "00004", ["a", "b", "c"])
    assert doubt(registry, tmp_path, again) == "its data is flagged: it swears"
    registry.unban(1, who="ann", why="it was not that one")
    assert doubt(registry, tmp_path, mostly) == ""


def test_a_version_keeps_its_turns_when_the_run_is_gone_and_no_word_or_player(tmp_path: Path) -> None:
    first = run_with(tmp_path, "00001", ["b", "a", "c"])
    registry = taken_back(tmp_path, first)
    shutil.rmtree(first.parent)
    assert doubt(registry, tmp_path, run_with(tmp_path, "00002", ["a", "b", "d"])).startswith("67% of its")
    version = registry.get(1)
    assert version.folder
    assert (version.folder / TURNS).read_text() == "a\nb\nc\n"
    registry.verify(version)


def test_where_a_versions_turns_cannot_be_read_its_run_is_looked_at(tmp_path: Path) -> None:
    registry = taken_back(tmp_path, run_with(tmp_path, "00001", ["a", "b", "c"]))
    folder = registry.get(1).folder
    assert folder
    (folder / TURNS).chmod(0o600)
    (folder / TURNS).write_bytes(b"\xff")
    assert doubt(registry, tmp_path, run_with(tmp_path, "00002", ["a", "b", "d"])).startswith("67% of its")


def test_runs_whose_data_is_not_whole_are_passed_over(tmp_path: Path) -> None:
    own = run_with(tmp_path, "00004", ["a"])
    without, damaged, half = (run_with(tmp_path, f"0000{number}", ["a", "b"]) for number in (1, 2, 3))
    registry = taken_back(tmp_path, half, keeps_turns=False)
    (without / "manifest.json").unlink()
    (damaged / "manifest.json").write_text("{")
    (half / "test.jsonl").unlink()
    assert doubt(registry, tmp_path, own) == ""
