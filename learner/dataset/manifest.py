"""What a dataset says of itself: where it came from, what was left out, who judged, and each file's hash."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import msgspec

from agent_runtime import files
from agent_runtime.errors import DatasetError
from learner.dataset.funnel import Step
from learner.dataset.raters import Rater
from learner.dataset.settings import DatasetSettings

MANIFEST = "manifest.json"
FORMAT = 1
PARTS = ("train", "validation", "test")


class Part(msgspec.Struct, frozen=True):
    """One file of examples, and how many of each kind."""

    sha256: str
    examples: dict[str, int]
    players: int


class Manifest(msgspec.Struct, frozen=True):
    """A dataset. `players` (pseudonyms) are all whose words are in it; `versions` counts the judged turns of
    each version; `redacted` counts what was replaced, by kind; `erasures` are as many as the journal had at
    the snapshot, None where that was not counted."""

    format: int
    snapshot: str
    snapshot_digest: str
    snapshot_at: datetime
    settings: DatasetSettings
    funnel: tuple[Step, ...]
    redacted: dict[str, int]
    raters: dict[str, Rater]
    players: tuple[str, ...]
    versions: dict[str, int]
    parts: dict[str, Part]
    erasures: int | None = None

    @property
    def digest(self) -> str:
        """Names the data: sha256 over the hashes of its files."""
        return hashlib.sha256("\n".join(self.parts[part].sha256 for part in PARTS).encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """What a dataset says of itself, not verified. Raises `DatasetError`."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as error:
        raise DatasetError(f"{folder} is no dataset: {MANIFEST}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise DatasetError(f"{folder / MANIFEST} is damaged ({error}); make the dataset again") from error


def verify(folder: Path) -> Manifest:
    """The manifest, once every file has the hash that it names. Raises `DatasetError`."""
    manifest = read_manifest(folder)
    for part in PARTS:
        path = folder / f"{part}.jsonl"
        known, plain = manifest.parts.get(part), path.is_file() and not path.is_symlink()
        if not known or not plain or files.digest(path) != known.sha256:
            raise DatasetError(f"{path} is not the file that was written; make the dataset again")
    return manifest
