"""Versions for tests of the registry: a staged folder and a draft that fits it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agent_runtime.registry.manifest import Draft, Verdict
from agent_runtime.registry.store import Registry
from agent_runtime.registry.versions import Version

BASE = "b" * 64


def dataset(number: int) -> str:
    return f"{number:064x}"


def staged(folder: Path, adapter: bytes | Path = b"GGUF adapter", **fields: Any) -> Draft:
    """Fill `folder` as a learner does; returns the draft that belongs to it."""
    content = adapter.read_bytes() if isinstance(adapter, Path) else adapter
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    (folder / "adapter.gguf").write_bytes(content)
    (folder / "report.json").write_text(json.dumps({"suites": []}))
    (folder / "card.md").write_text("# What was learned\n")
    (folder / "plots" / "loss.png").write_bytes(b"\x89PNG")
    return Draft(
        **{
            "base": BASE,
            "adapter": hashlib.sha256(content).hexdigest(),
            "dataset": dataset(1),
            "training": {"method": "sft", "rank": 8},
            "seeds": {"train": 7},
            "verdict": Verdict("passed", "better on 12 of 14 slices"),
            "learned": "greets by name",
            **fields,
        }
    )


def added(registry: Registry, adapter: bytes | Path = b"GGUF adapter", **fields: Any) -> Version:
    """One more version in the registry."""
    folder = registry.root.parent / "staged"
    return registry.add(folder, staged(folder, adapter, **fields))
