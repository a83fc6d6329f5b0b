"""The switch that an admin turns nights off and on with; it holds over restarts, and beside the settings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from agent_runtime import files
from agent_runtime.errors import NightError


class Paused(Struct, frozen=True):
    """Who turned nights off, and when."""

    who: str
    since: datetime


def paused(learner: Path) -> Paused | None:
    """None while nights are on. A switch that cannot be read is off: that harms nobody."""
    try:
        return msgspec.json.decode(_path(learner).read_bytes(), type=Paused)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError):
        return Paused("somebody", datetime.fromtimestamp(0).astimezone())


def pause(learner: Path, who: str, since: datetime) -> None:
    """Turn nights off. Raises `NightError`."""
    try:
        learner.mkdir(parents=True, exist_ok=True)
        files.replace(_path(learner), msgspec.json.encode(Paused(who, since)))
    except OSError as error:
        raise NightError(f"{_path(learner)}: {error.strerror}; check the folder and its rights") from error


def resume(learner: Path) -> None:
    """Turn nights on. Raises `NightError`."""
    try:
        _path(learner).unlink(missing_ok=True)
    except OSError as error:
        raise NightError(f"{_path(learner)}: {error.strerror}; check the folder and its rights") from error


def _path(learner: Path) -> Path:
    return learner / "paused.json"
