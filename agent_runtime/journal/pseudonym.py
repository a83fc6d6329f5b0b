"""A player's name comes in, a pseudonym goes out: the same one for the same player of the same server.

The key never leaves its file; without it nobody can tell from a pseudonym who it is. The texts of a turn may
tell: they hold names as the NPC read them.
"""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from pathlib import Path

from agent_runtime.errors import JournalError

KEY_BYTES = 32
KEY_NAME = "pseudonym.key"
DIGITS = 16


class Pseudonyms:
    """Pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_home(cls, home: Path) -> Pseudonyms:
        """With the key of this home, made on first use. Raises `JournalError`."""
        return cls(_load_key(home / KEY_NAME))

    def of(self, server: str, player: str) -> str:
        """HMAC-SHA256 of server and name, 16 hex digits. A server's id and a player's name hold no NUL."""
        message = f"{server}\0{player}".encode()
        return hmac.digest(self._key, message, "sha256").hex()[:DIGITS]


def _load_key(path: Path) -> bytes:
    try:
        if not path.exists():
            _create_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}; check the folder and its rights") from error
    if len(key) != KEY_BYTES:
        raise JournalError(
            f"{path}: has {len(key)} bytes instead of {KEY_BYTES}. Restore it from a backup; with another "
            "key the players' earlier turns and ratings no longer count as theirs"
        )
    return key


def _create_key(path: Path) -> None:
    """Appears whole or not at all; whoever comes second takes the first one's key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # readable by the owner only
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
