"""What an admin may type for a time, and as whom an admin acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent_runtime.commands.arguments import moment, who
from agent_runtime.errors import JournalError

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-19T12:00+02:00", datetime(2026, 11, 19, 10, 0, tzinfo=UTC)),
        ("2026-11-19", datetime(2026, 11, 19).astimezone(UTC)),
    ],
)
def test_times(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "2y", "h", "-1h", "99999w", "0000-01-01", ""])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(JournalError, match="is no time: write 30m"):
        moment(text, NOW)


def test_an_admin_acts_under_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert who() == "admin ann"
