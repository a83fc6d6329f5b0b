"""A run waits while players talk, when it was told to."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.config import Settings
from agent_runtime.journal.writer import Journal
from agent_runtime.registry.status import Status, StatusFiles
from learner.job import quiet
from learner.job.quiet import never, talked_lately, waiting
from tests.support.rows import turn


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A home whose server, this process, was talked to a moment ago."""
    (tmp_path / "townsfolk.toml").write_text("[learn]\nwait_while_serving = true\n")
    settings = config.load(tmp_path)
    journal = Journal.open(settings.journal_path)
    await journal.add(turn(1, said_at=datetime.now(UTC)))
    await journal.close()
    serves(settings, os.getpid())
    return settings


def serves(settings: Settings, pid: int) -> None:
    status = Status(pid=pid, base="", champion=0, challenger=None, suspect=0, since=datetime.now(UTC))
    StatusFiles(settings.registry_path).write_status(status)


async def test_it_knows_when_players_talk(settings: Settings) -> None:
    assert talked_lately(settings)
    assert not talked_lately(settings, datetime.now(UTC) + timedelta(minutes=2))


async def test_what_was_said_while_the_clock_was_ahead_is_no_talk_of_now(settings: Settings) -> None:
    assert not talked_lately(settings, datetime.now(UTC) - timedelta(days=1))


async def test_without_a_server_nobody_talks(settings: Settings) -> None:
    serves(settings, 2**22 + 1)  # beyond all pids
    assert not talked_lately(settings)


async def test_it_waits_until_they_have_done(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            serves(settings, 2**22 + 1)

    monkeypatch.setattr(quiet, "LOOK_SECONDS", 0.0)
    waiting(settings, told.append, sleep)()
    assert len(slept) == 3
    assert told[0] == "waiting: players are talking"


def test_who_was_not_told_to_wait_does_not(tmp_path: Path) -> None:
    assert waiting(config.load(tmp_path), print) is never
