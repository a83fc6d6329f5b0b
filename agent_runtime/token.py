"""The bearer token that game servers present: made once in HOME/token, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from agent_runtime.errors import ConfigError


def ensure_token(path: Path) -> str:
    """The token in `path`; makes a new one when there is none. Raises `ConfigError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(path)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error}; make the folder writable"]) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token


def read_token(path: Path) -> str:
    """The token in `path`. Raises `ConfigError` when it is missing or not one printable word."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError([f"{path}: holds no usable token; remove the file and a new one is made"])
    return token
