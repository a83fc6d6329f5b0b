"""A dataset's folder comes in; the same examples go out for other trainers, in the ecosystem's formats and
with a card."""

from __future__ import annotations

from pathlib import Path

from exporters.cards import DatasetFacts
from exporters.dataset import Format, export_dataset
from learner.dataset.manifest import PARTS, verify
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
