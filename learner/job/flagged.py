"""A dataset and the data that rollbacks flagged come in; why the new one should not go to players by itself
goes out. A rolled-back version would otherwise come back with the next night, which learns of the same talk.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agent_runtime.errors import DatasetError
from agent_runtime.nights.erased import DATASET
from agent_runtime.nights.runs import runs
from learner.dataset.manifest import PARTS, read_manifest
from learner.examples import load_examples

MOST = 0.5
"""So much of the new data in flagged data makes it the same."""


def doubt(learner: Path, dataset: Path, flagged: Mapping[str, str]) -> str:
    """A reason to leave it to an admin; empty where there is none. `flagged` are reasons by the datasets'
    digests; those whose run is no longer there, or cannot be read, can only be told by their digest. Raises
    `DatasetError` for `dataset` itself."""
    own = read_manifest(dataset).digest
    if own in flagged:
        return f"its data is flagged: {flagged[own]}"
    turns = _turns(dataset)
    for run in runs(learner):
        # Only who can be read can be compared.
        with suppress(DatasetError):
            other = run.folder / DATASET
            digest = read_manifest(other).digest
            if digest not in flagged:
                continue
            share = len(turns & _turns(other)) / max(1, len(turns))
            if share > MOST:
                return f"{share:.0%} of its data is that of a version which was taken back: {flagged[digest]}"
    return ""


def _turns(dataset: Path) -> set[str]:
    """The turns that its examples come from."""
    found = [example for part in PARTS for example in load_examples(dataset / f"{part}.jsonl")]
    return {example.id.partition(":")[0] for example in found if example.rater}
