"""What a version is made of and where it came from: a draft comes from whoever trained it, a manifest is
kept with it, and a manifest that is not what it should be is refused with the reason.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from agent_runtime.errors import VersionRefused

FORMAT = 1
MANIFEST = "manifest.json"
ADAPTER = "adapter.gguf"
REPORT = "report.json"
CARD = "card.md"
WORDS = "## Before and after"
"""The heading of the one part of a card that quotes players, up to the next heading."""
NEEDED = (ADAPTER, REPORT, CARD)
HASH_SHOWN = 12
MAX_FILES = 500
MAX_DEPTH = 4
MAX_BYTES = 4 << 20

Outcome = Literal["passed", "refused", "inconclusive", "none"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}")


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate said, in one word and one line; `report.json` has the evidence. `none`: nobody asked
    the gate."""

    outcome: Outcome = "none"
    summary: str = ""


class Draft(Struct, frozen=True, kw_only=True):
    """A version as whoever trained it describes it. Hashes are sha256 in hex.

    `base` is that of the GGUF it was trained for, `adapter` that of `adapter.gguf`, `scale` the LoRA scale
    it was judged at, `dataset` that of the data, `parent` the number of the champion of that moment, and
    `learned` one line for people: what NPCs do better now. `trained_on` and `judged_by` are the players
    (pseudonyms) of the data, as it was at `data_at`, when the journal had so many erasures (`data_erasures`;
    None where that was not counted): whoever of them is erased later has it marked.
    """

    base: str
    adapter: str
    scale: float = 1.0
    dataset: str
    data_at: datetime | None = None
    data_erasures: int | None = None
    trained_on: tuple[str, ...] = ()
    judged_by: tuple[str, ...] = ()
    training: dict[str, Any] = {}
    seeds: dict[str, int] = {}
    parent: int = 0
    verdict: Verdict = Verdict()
    learned: str = ""


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a version."""

    sha256: str
    bytes: int


class Manifest(Draft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version as the registry keeps it; `files` are all of its files but the manifest, by path."""

    format: int = FORMAT
    number: int
    id: str
    created: datetime
    files: dict[str, Kept]

    @property
    def adapter_bytes(self) -> int:
        return self.files[ADAPTER].bytes


def identity(number: int, adapter: str) -> str:
    """The name of a version's folder."""
    return f"{number}-{adapter[:HASH_SHOWN]}"


def safe_path(name: str) -> bool:
    """Whether this is a plain relative path: no `..`, nothing absolute, nothing hidden."""
    parts = name.split("/")
    return len(parts) <= MAX_DEPTH and all(_PART.fullmatch(part) for part in parts)


def check_draft(draft: Draft) -> None:
    """Raises `VersionRefused` for what cannot be true of any version."""
    for name in ("base", "adapter", "dataset"):
        if not _SHA256.fullmatch(getattr(draft, name)):
            raise VersionRefused(f"{name}: {getattr(draft, name)[:80]!r} is no sha256 in hex")
    if not 0 < draft.scale <= 16:
        raise VersionRefused(f"scale: {draft.scale!r} is not above 0 and at most 16")
    if draft.parent < 0:
        raise VersionRefused(f"parent: {draft.parent} is no number of a version")
    if "\n" in draft.learned or "\n" in draft.verdict.summary:
        raise VersionRefused("learned and verdict.summary are one line each")


def decode(data: bytes, folder: str) -> Manifest:
    """The manifest of the version in the folder of that name. Raises `VersionRefused`."""
    if len(data) > MAX_BYTES:
        raise VersionRefused(f"{folder}: {MANIFEST} has {len(data)} bytes; that cannot be right")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
        check_draft(manifest)
    except (msgspec.MsgspecError, VersionRefused) as error:
        raise VersionRefused(f"{folder}: {MANIFEST} cannot be used: {error}") from error
    if manifest.format != FORMAT:
        raise VersionRefused(f"{folder}: written by a newer Townsfolk (format {manifest.format}); upgrade")
    if manifest.number < 1 or manifest.id != identity(manifest.number, manifest.adapter):
        raise VersionRefused(f"{folder}: {MANIFEST} names itself {manifest.id!r}, which its contents deny")
    if manifest.id != folder:
        raise VersionRefused(f"{folder}: {MANIFEST} is of version {manifest.id}")
    if len(manifest.files) > MAX_FILES or not all(map(safe_path, manifest.files)):
        unsafe = next((name for name in manifest.files if not safe_path(name)), f"{MAX_FILES} files")
        raise VersionRefused(f"{folder}: {MANIFEST} names {unsafe[:80]!r}, which no version has")
    missing = [name for name in NEEDED if name not in manifest.files]
    if missing or manifest.files[ADAPTER].sha256 != manifest.adapter:
        raise VersionRefused(f"{folder}: {MANIFEST} does not name its {missing[0] if missing else ADAPTER}")
    return manifest


def regular_files(folder: Path) -> list[str]:
    """The files below a folder by relative path. Raises `VersionRefused` for links, devices and odd names."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()) or not safe_path(name):
            raise VersionRefused(f"{folder.name}/{name}: a version holds plain files only")
        if path.is_file():
            found.append(name)
    if len(found) > MAX_FILES:
        raise VersionRefused(f"{folder.name}: {len(found)} files; a version has at most {MAX_FILES}")
    return found
