"""What a running server leaves beside the registry for others, and for its own next start: which versions
serve, and what is known of those on trial. Losing it costs no more than a trial that begins anew.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from agent_runtime import files
from agent_runtime.registry.canary import Trial
from agent_runtime.registry.guard import Tally

Kind = TypeVar("Kind", bound=Struct)


class Status(Struct, frozen=True, kw_only=True):
    """What serves since when, by which process, on which base (sha256); `share` is the challenger's part of
    the players. The file is gone when the server stopped in good order; otherwise `suspect` is the version
    that was loaded last. `boot` tells one run of the machine from the next; empty where it is not known."""

    pid: int
    boot: str = ""
    base: str
    champion: int
    challenger: int | None
    share: float = 0.0
    suspect: int
    since: datetime

    @property
    def alive(self) -> bool:
        """Whether that process runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


class Memo(Struct):
    """What versions did so far, by number, and the trial that goes on. The tallies are of what came after
    `chances`, at a `place` (machine and base); those of earlier releases do not say."""

    tallies: dict[int, Tally] = field(default_factory=dict)
    trial: Trial | None = None
    chances: dict[int, datetime] | None = None
    place: str = ""


class StatusFiles:
    """The files in the registry's folder. Reading what is not there or not readable gives None."""

    def __init__(self, root: Path) -> None:
        self._status = root / "serving.json"
        self._memo = root / "trials.json"

    def status(self) -> Status | None:
        return _read(self._status, Status)

    def memo(self) -> Memo | None:
        return _read(self._memo, Memo)

    def write_status(self, status: Status) -> None:
        """Raises `OSError`."""
        _write(self._status, msgspec.json.encode(status))

    def write_memo(self, encoded: bytes) -> None:
        """Write an encoded `Memo`: the memo itself goes on changing meanwhile. Raises `OSError`."""
        _write(self._memo, encoded)

    def clear_status(self) -> None:
        """Raises `OSError`."""
        self._status.unlink(missing_ok=True)


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace(path, data)
