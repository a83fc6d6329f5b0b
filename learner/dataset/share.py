"""A dataset's folder comes in; the same examples go out for other trainers, in the ecosystem's formats and
with a card."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from agent_runtime.journal.sealed import Scope
from agent_runtime.journal.source import Source, take_snapshot
from exporters.cards import DatasetFacts
from exporters.dataset import Format, export_dataset
from learner.dataset.build import build
from learner.dataset.manifest import PARTS, verify
from learner.dataset.settings import DatasetSettings
from learner.dataset.shortage import TooLittle
from learner.examples import read_examples


def share(dataset: Path, out: Path, name: str, format: Format = "jsonl") -> dict[str, dict[str, int]]:
    """Write a verified dataset to the new folder `out`; returns the rows by configuration and part.

    Raises `DatasetError` and `ExportError`.
    """
    manifest = verify(dataset)
    facts = DatasetFacts(
        name=name,
        digest=manifest.digest,
        snapshot=manifest.snapshot,
        players=len(manifest.players),
        steps=[(step.name, step.kept, step.dropped) for step in manifest.funnel],
        redacted=manifest.redacted,
    )
    return export_dataset(
        {part: read_examples(dataset / f"{part}.jsonl") for part in PARTS}, facts, out, format
    )


def share_now(
    source: Source,
    scope: Scope,
    settings: DatasetSettings,
    banned: Collection[int],
    out: Path,
    name: str,
    format: Format = "jsonl",
) -> dict[str, dict[str, int]] | TooLittle:
    """The same from a journal as it is now; the snapshot and the dataset in between are not kept.

    Raises `JournalError`, `DatasetError` and `ExportError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        sealed, made = Path(folder) / "snapshot", Path(folder) / "dataset"
        built = build(take_snapshot(source, scope, sealed), made, settings, banned=banned)
        return built if isinstance(built, TooLittle) else share(made, out, name, format)
