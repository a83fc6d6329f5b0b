"""The secret that a game server shows to be let in: a file comes in, the token in it goes out."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from agent_runtime.errors import ConfigError

_MIN_LENGTH = 20


def load_or_create_token(path: Path) -> str:
    """The token in the file `path`; a missing file is made, with 32 random bytes, readable by its owner only.

    Raises ConfigError when the file cannot be read or made, or when what it holds is no token.
    """
    try:
        if not path.exists():
            _create(path)
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"{path}: the bridge's token cannot be used ({error}); check owner and rights"]
        ) from error
    if len(token) < _MIN_LENGTH or not token.isprintable() or " " in token:
        raise ConfigError(
            [
                f"{path}: this is no token (at least {_MIN_LENGTH} characters, no spaces); delete the file, "
                "start again, and give the new token to the game server"
            ]
        )
    return token


def _create(path: Path) -> None:
    """Whole or not at all: two processes that start together end with the same token."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # readable by its owner only
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
