"""The folders of versions: a finished folder comes in by copy, and is read, checked and taken away whole.

A folder appears under its final name in one step, when all of it is on disk. The caller knows which numbers
are used up.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from agent_runtime import files
from agent_runtime.errors import RegistryError, VersionRefused
from agent_runtime.registry.audit import BARE
from agent_runtime.registry.manifest import (
    ADAPTER,
    CARD,
    MANIFEST,
    MAX_BYTES,
    NEEDED,
    WORDS,
    Draft,
    Kept,
    Manifest,
    decode,
    identity,
    regular_files,
)

STALE_SECONDS = 86_400.0
"""A copy that is still unfinished after so long was given up by a crash."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version. The bare base, number 0, has neither folder nor manifest."""

    number: int
    id: str
    folder: Path | None = None
    manifest: Manifest | None = None

    @property
    def adapter(self) -> Path | None:
        return self.folder / ADAPTER if self.folder else None

    @property
    def card(self) -> Path | None:
        return self.folder / CARD if self.folder else None


BARE_BASE = Version(BARE, "0-base")


class Versions:
    """The versions below a registry's root, which need not be there yet."""

    def __init__(self, root: Path) -> None:
        self._folders = root / "versions"
        self._staging = root / "staging"

    def prepare(self) -> None:
        """Make the folders. Raises `OSError`."""
        for folder in (self._folders, self._staging):
            folder.mkdir(parents=True, exist_ok=True)

    def all(self) -> Iterator[Version | VersionRefused]:
        """The bare base and every version by number; one that cannot be read is an error with the reason."""
        yield BARE_BASE
        for folder in self._named():
            try:
                yield _read(folder)
            except VersionRefused as error:
                yield error

    def get(self, which: int | str) -> Version:
        """A version by its number or id. Raises `RegistryError` when there is none, and `VersionRefused`
        when it cannot be read."""
        if which in (BARE, str(BARE), BARE_BASE.id):
            return BARE_BASE
        for folder in self._named():
            if str(which) in (folder.name, str(_number(folder))):
                return _read(folder)
        raise RegistryError(f"there is no version {which}; `townsfolk versions` lists them")

    @contextmanager
    def copied(self, staged: Path, draft: Draft) -> Iterator[tuple[Path, dict[str, Kept]]]:
        """A checked, synced copy of a folder, gone at the end unless it was published. Raises
        `VersionRefused`, and `OSError`."""
        names = regular_files(staged)
        missing = [name for name in NEEDED if name not in names]
        if missing or MANIFEST in names:
            what = f"it has no {missing[0]}" if missing else f"the registry writes {MANIFEST} itself"
            raise VersionRefused(f"{staged}: {what}; a version needs {', '.join(NEEDED)}")
        self.sweep(STALE_SECONDS)
        temporary = Path(tempfile.mkdtemp(dir=self._staging))
        try:
            kept = {}
            for name in names:
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                kept[name] = Kept(*files.copy(staged / name, temporary / name))
            if kept[ADAPTER].sha256 != draft.adapter:
                raise VersionRefused(
                    f"{staged}/{ADAPTER}: its sha256 is {kept[ADAPTER].sha256[:16]}…, not that of the "
                    f"adapter which was judged ({draft.adapter[:16]}…); export and judge it again"
                )
            yield temporary, kept
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def publish(
        self, temporary: Path, kept: dict[str, Kept], draft: Draft, named: Collection[int], created: datetime
    ) -> Version:
        """Give a copy its place and the number above all that are there or were ever `named`. One that is
        there but not named is the same version, if it holds the same: whoever published it died before
        saying so. Raises `OSError`."""
        if left := self._left(kept, draft, named):
            return left
        number = max([self._newest(), *named]) + 1
        id = identity(number, draft.adapter)
        data = _encoded(_manifest(kept, draft, number, created))
        files.write_new(temporary / MANIFEST, data, files.READ_ONLY)
        for folder in (temporary, *(path for path in temporary.rglob("*") if path.is_dir())):
            files.sync_folder(folder)
        os.chmod(temporary, 0o755)
        os.rename(temporary, self._folders / id)
        files.sync_folder(self._folders)
        return Version(number, id, self._folders / id, decode(data, id))

    def remove(self, version: Version) -> None:
        """Take a version away, in one step for whoever looks. Raises `OSError`."""
        if version.folder:
            gone = Path(tempfile.mkdtemp(dir=self._staging))
            os.rename(version.folder, gone / version.id)
            files.sync_folder(self._folders)
            shutil.rmtree(gone, ignore_errors=True)

    def without_words(self, version: Version) -> None:
        """Take the part that quotes players off a version's card; it verifies at any moment. The manifest
        comes first: `verify` takes a card that still quotes them for the one without. Raises `OSError`."""
        if not version.folder or not version.manifest or not version.card:
            return
        card = _unquoted(version.card)
        kept = version.manifest.files | {CARD: Kept(hashlib.sha256(card).hexdigest(), len(card))}
        manifest = msgspec.structs.replace(version.manifest, files=kept)
        self.prepare()
        begun = Path(tempfile.mkdtemp(dir=self._staging))
        try:
            for name, data in ((MANIFEST, _encoded(manifest)), (CARD, card)):
                files.replace(version.folder / name, data, mode=files.READ_ONLY, begun_in=begun)
        finally:
            shutil.rmtree(begun, ignore_errors=True)

    def sweep(self, older_s: float) -> None:
        """Delete what is half made or half deleted and older than so many seconds. Raises `OSError`."""
        for path in self._staging.iterdir() if self._staging.exists() else ():
            with suppress(FileNotFoundError):  # another copy that has just ended
                if time.time() - path.lstat().st_mtime > older_s:
                    shutil.rmtree(path, ignore_errors=True)

    def _named(self) -> list[Path]:
        with suppress(FileNotFoundError):
            found = [path for path in self._folders.iterdir() if _number(path) > BARE]
            return sorted(found, key=lambda path: (_number(path), path.name))
        return []

    def _newest(self) -> int:
        """The highest number of any folder, readable or not."""
        return max(map(_number, self._named()), default=BARE)

    def _left(self, kept: dict[str, Kept], draft: Draft, named: Collection[int]) -> Version | None:
        for version in self.all():
            if isinstance(version, VersionRefused) or version.number in named or not version.manifest:
                continue
            made = version.manifest
            if _encoded(made) == _encoded(_manifest(kept, draft, made.number, made.created)):
                files.sync_folder(self._folders)
                return version
        return None


def verify(version: Version) -> None:
    """Read every byte of a version again. Raises `VersionRefused` for anything that is not as it was when it
    came."""
    if not version.folder or not version.manifest:
        return
    try:
        kept = version.manifest.files
        odd = (set(regular_files(version.folder)) - {MANIFEST}) ^ set(kept)
        if odd:
            raise VersionRefused(f"{version.id}/{min(odd)}: came or went after the version was added")
        for name in kept:
            found, expected = files.digest(version.folder / name), kept[name].sha256
            if name == CARD and found != expected:
                # Its words were taken off since, or are just now: the manifest comes first, then the card.
                found = hashlib.sha256(_unquoted(version.folder / CARD)).hexdigest()
                current = _read(version.folder).manifest
                expected = current.files[CARD].sha256 if current else expected
            if found != expected:
                raise VersionRefused(f"{version.id}/{name}: its contents changed after it was added")
    except OSError as error:
        raise VersionRefused(f"{version.id}: cannot be read: {error}") from error


def _read(folder: Path) -> Version:
    path = folder / MANIFEST
    try:
        if folder.is_symlink() or path.is_symlink():
            raise VersionRefused(f"{folder.name}: is or holds a symbolic link; a version holds plain files")
        with path.open("rb") as file:
            manifest = decode(file.read(MAX_BYTES + 1), folder.name)
    except OSError as error:
        raise VersionRefused(f"{folder.name}: {MANIFEST} cannot be read: {error.strerror}") from error
    return Version(manifest.number, manifest.id, folder, manifest)


def _manifest(kept: dict[str, Kept], draft: Draft, number: int, created: datetime) -> Manifest:
    values = {name: getattr(draft, name) for name in Draft.__struct_fields__}
    id = identity(number, draft.adapter)
    return Manifest(number=number, id=id, created=created, files=kept, **values)


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest, order="deterministic"), indent=2)


def _unquoted(card: Path) -> bytes:
    """What a card says without the part that quotes players."""
    text = card.read_bytes()
    before, heading, rest = text.partition(f"{WORDS}\n".encode())
    if not heading:
        return text
    _, following, after = rest.partition(b"\n## ")
    taken = b"\nTaken out: a player whose talk it was made of was erased.\n"
    return before + heading + taken + following + after


def _number(folder: Path) -> int:
    """The number in a folder's name, 0 when there is none."""
    number, dash, _ = folder.name.partition("-")
    return int(number) if dash and number.isascii() and number.isdigit() and len(number) < 10 else BARE
