"""New data is compared with what was taken back; runs whose data is not whole are passed over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent_runtime.files import digest
from agent_runtime.nights.erased import DATASET
from agent_runtime.npc.prompt import Message
from learner.dataset.manifest import FORMAT, PARTS, Manifest, Part, read_manifest
from learner.dataset.settings import DatasetSettings
from learner.examples import Example, write_examples
from learner.job.flagged import doubt
from tests.support.nights import SEALED, run_of


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


def test_data_that_is_mostly_that_of_a_version_taken_back_is_doubted(tmp_path: Path) -> None:
    flagged = read_manifest(run_with(tmp_path, "00001", ["a", "b", "c"])).digest
    mostly, hardly = (
        run_with(tmp_path, "00002", ["a", "b", "d"]),
        run_with(tmp_path, "00003", ["a", "d", "e"]),
    )
    assert doubt(tmp_path, mostly, {flagged: "it swears"}).startswith("67% of its data")
    assert doubt(tmp_path, hardly, {flagged: "it swears"}) == ""
    assert doubt(tmp_path, mostly, {read_manifest(mostly).digest: "it swears"}) == (
        "its data is flagged: it swears"
    )


def test_runs_whose_data_is_not_whole_are_passed_over(tmp_path: Path) -> None:
    own = run_with(tmp_path, "00004", ["a"])
    without, damaged, half = (run_with(tmp_path, f"0000{number}", ["a", "b"]) for number in (1, 2, 3))
    flagged = {read_manifest(half).digest: "it swears"}
    (without / "manifest.json").unlink()
    (damaged / "manifest.json").write_text("{")
    (half / "test.jsonl").unlink()
    assert doubt(tmp_path, own, flagged) == ""
