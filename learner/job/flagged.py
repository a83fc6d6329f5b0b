"""A dataset and the data that rollbacks flagged come in; why the new one should not go to players by itself
goes out. A rolled-back version would otherwise come back with the next night, which learns of the same talk.

The turns are compared, by their ids. A version keeps those of its data beside its adapter, where neither an
erasure nor the removal of old runs takes them: an id says when something was said, and all else stands in the
journal's row, which an erasure empties.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from agent_runtime.errors import DatasetError
from agent_runtime.nights.erased import DATASET
from agent_runtime.nights.runs import runs
from agent_runtime.registry.store import Registry
from learner.dataset.manifest import PARTS, read_manifest
from learner.examples import load_examples

TURNS = "turns.txt"
"""The file of a version with the ids of the turns that it was made of, one a line."""
MOST = 0.5
"""So much of the new data in flagged data makes it the same."""


def write_turns(dataset: Path, version: Path) -> None:
    """Put the ids of a dataset's turns into the folder of the version made of it. Raises `DatasetError`, and
    `OSError`."""
    (version / TURNS).write_text("".join(f"{turn}\n" for turn in sorted(_turns(dataset))), encoding="utf-8")


def doubt(registry: Registry, learner: Path, dataset: Path) -> str:
    """A reason to leave it to an admin; empty where there is none. Flagged data of a version without its
    turns is looked for among the runs; where its run is no longer there, or cannot be read, only the digest
    tells. Raises `RegistryError`, and `DatasetError` for `dataset` itself."""
    flagged = registry.state().flagged
    own = read_manifest(dataset).digest
    if own in flagged:
        return f"its data is flagged: {flagged[own]}"
    turns = _turns(dataset)
    known = _of_versions(registry, flagged)
    known |= _of_runs(learner, flagged.keys() - known.keys())
    for digest, reason in flagged.items():
        share = len(turns & known.get(digest, set())) / max(1, len(turns))
        if share > MOST:
            return f"{share:.0%} of its data is that of a version which was taken back: {reason}"
    return ""


def _of_versions(registry: Registry, wanted: Collection[str]) -> dict[str, set[str]]:
    """The turns of data, by its digest, as far as versions made of it have them."""
    found = {}
    for version in registry.versions():
        if version.folder and version.manifest and version.manifest.dataset in wanted:
            with suppress(OSError, UnicodeDecodeError):
                turns = (version.folder / TURNS).read_text(encoding="utf-8").split()
                found[version.manifest.dataset] = set(turns)
    return found


def _of_runs(learner: Path, wanted: Collection[str]) -> dict[str, set[str]]:
    """The same from the runs that still have it."""
    found = {}
    for run in runs(learner) if wanted else ():
        # Only who can be read can be compared.
        with suppress(DatasetError):
            digest = read_manifest(run.folder / DATASET).digest
            if digest in wanted:
                found[digest] = _turns(run.folder / DATASET)
    return found


def _turns(dataset: Path) -> set[str]:
    """The turns that its examples come from."""
    found = [example for part in PARTS for example in load_examples(dataset / f"{part}.jsonl")]
    return {example.id.partition(":")[0] for example in found if example.rater}
