"""The audit log is the registry's one truth about its aliases: each line is one change, whole or absent.

A change is one appended, synced line; what the aliases are is what the lines add up to. So no crash can
leave an alias without its reason, or a reason without its alias. Nothing is ever rewritten.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agent_runtime.errors import RegistryError
from agent_runtime.files import sync_folder

Alias = Literal["champion", "challenger", "last_good"]
ALIASES: tuple[Alias, ...] = ("champion", "challenger", "last_good")
BARE = 0
"""The number of the bare base."""

What = Literal[
    "add",
    "promote",
    "challenge",
    "share",
    "drop",
    "rollback",
    "move",
    "refuse",
    "ban",
    "unban",
    "mark",
    "prune",
]


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. `version` is the one it is about; `moves` maps each alias that moved to where it was and
    where it went; `share` is the challenger's part of the players from then on; `flags` are hashes of
    datasets that somebody should look at."""

    at: datetime
    who: str
    what: What
    why: str = ""
    version: int
    moves: dict[Alias, tuple[int | None, int | None]] = {}
    share: float | None = None
    bans: bool = False
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """What the log adds up to. Without a word in it the bare base is the champion. `marked` are versions that
    should be trained anew, with the reason; they serve on. `refused` are versions that could not serve when
    an alias last named them."""

    aliases: dict[Alias, int | None] = field(
        default_factory=lambda: {"champion": BARE, "challenger": None, "last_good": BARE}
    )
    share: float = 0.0
    banned: dict[int, str] = field(default_factory=dict)
    flagged: dict[str, str] = field(default_factory=dict)
    marked: dict[int, str] = field(default_factory=dict)
    refused: frozenset[int] = frozenset()
    entries: tuple[Entry, ...] = ()

    @property
    def champion(self) -> int:
        return self.aliases["champion"] or BARE

    @property
    def last_good(self) -> int:
        return self.aliases["last_good"] or BARE

    @property
    def challenger(self) -> int | None:
        return self.aliases["challenger"]

    @property
    def challenged(self) -> float:
        """When there was last another challenger, in seconds of the wall clock of whoever decided that."""
        moved = (entry.at.timestamp() for entry in reversed(self.entries) if "challenger" in entry.moves)
        return next(moved, 0.0)

    @property
    def chances(self) -> dict[int, datetime]:
        """When a version last got a chance: it was promoted, challenged or unbanned. What it did before does
        not count against it."""
        given = ("promote", "challenge", "unban")
        return {entry.version: entry.at for entry in self.entries if entry.what in given}

    @property
    def serving(self) -> set[int]:
        """The versions that have to be at hand."""
        return {self.champion, self.last_good} | ({self.challenger} if self.challenger is not None else set())

    def after(self, entry: Entry) -> State:
        """The state once this has happened too."""
        aliases = self.aliases | {alias: new for alias, (_, new) in entry.moves.items()}
        share = self.share if entry.share is None else entry.share
        banned, flagged, marked = dict(self.banned), dict(self.flagged), dict(self.marked)
        if entry.what == "mark":
            marked[entry.version] = entry.why
        if entry.bans:
            banned[entry.version] = entry.why
            flagged |= dict.fromkeys(entry.flags, entry.why)
        elif entry.what == "unban":
            banned.pop(entry.version, None)
            flagged = {
                dataset: ban.why
                for ban in self.entries
                if ban.bans and ban.version in banned
                for dataset in ban.flags
            }
        refused = self.refused - {new for _, new in entry.moves.values()}
        if entry.what == "refuse":
            refused |= {entry.version}
        if aliases["challenger"] is None:
            share = 0.0
        return State(aliases, share, banned, flagged, marked, refused, (*self.entries, entry))

    def champions_before(self) -> list[int]:
        """Who was champion before, the latest first."""
        moved = [entry.moves["champion"][0] for entry in self.entries if "champion" in entry.moves]
        return [number or BARE for number in reversed(moved)]


def read(path: Path) -> State:
    """What a log adds up to; none at all is an empty one. A last line that was never finished never
    happened. Raises `RegistryError` when a line before the last is damaged."""
    state = State()
    for entry in _entries(path)[0]:
        state = state.after(entry)
    return state


def append(path: Path, entry: Entry) -> None:
    """Add a change, durably. The caller holds the registry's lock. Raises `OSError`, and then nothing
    changed."""
    entries, size = _entries(path)
    body = msgspec.json.encode(entry)
    rest = memoryview(body + b"\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, size)  # a line that a crash left unfinished
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if not entries:
        sync_folder(path.parent)


def _entries(path: Path) -> tuple[Sequence[Entry], int]:
    """The changes, and the bytes that hold them."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return (), 0
    except OSError as error:
        raise RegistryError(f"{path}: {error.strerror}; check the folder and its rights") from error
    entries, size = [], 0
    for number, line in enumerate(lines, 1):
        try:
            if not line.endswith(b"\n"):
                raise msgspec.DecodeError("it breaks off")
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.MsgspecError as error:
            # A line that was cut short is no JSON, and stands last.
            if number == len(lines) and not isinstance(error, msgspec.ValidationError):
                break
            raise RegistryError(
                f"{path}: line {number} cannot be read ({error}), so nobody knows which version should "
                "serve. Restore the file, or upgrade if a newer Townsfolk wrote it; without the file the "
                "bare base serves, and you promote a version anew"
            ) from error
        size += len(line)
    return entries, size
