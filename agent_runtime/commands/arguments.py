"""What an admin types for a time or a player comes in; what it stands for goes out, and who that admin is."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta

from agent_runtime.config import Settings
from agent_runtime.errors import JournalError

AGO = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def who() -> str:
    """Whoever gives the command, as the audit log names them."""
    try:
        return f"admin {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return "admin"


def moment(text: str, now: datetime) -> datetime:
    """`2h` ago, or a date and time, local where it names no zone. Raises `JournalError`."""
    ago = re.fullmatch(r"(\d{1,4})([mhdw])", text)
    if ago:
        return now - timedelta(**{AGO[ago[2]]: int(ago[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise JournalError(f"{text!r} is no time: write 30m, 2h, 3d, 1w, or 2026-11-20T18:00") from error


def pseudonyms_of(settings: Settings, player: str) -> tuple[str, ...]:
    """A player by name, on every server we know, or by the digits of a pseudonym as the tables show them."""
    from agent_runtime.journal.pseudonym import KEY_NAME, Pseudonyms
    from agent_runtime.journal.source import ask, open_source
    from agent_runtime.journal.views import MAX_ROWS, Filter, ServerView

    shown = (player,) if re.fullmatch(r"[0-9a-f]{8,16}", player) else ()
    if not (settings.home / KEY_NAME).exists():
        return shown
    pseudonyms = Pseudonyms.of_home(settings.home)
    with open_source(settings.journal_path) as source:
        servers = ask(source, "servers", Filter(limit=MAX_ROWS), ServerView)
    return (*shown, *(pseudonyms.of(server.server, player) for server in servers))
