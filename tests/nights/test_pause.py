"""The switch of nights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_runtime.errors import NightError
from agent_runtime.nights.pause import pause, paused, resume

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_off_and_on(tmp_path: Path) -> None:
    learner = tmp_path / "learner"
    assert paused(learner) is None
    resume(learner)
    pause(learner, "admin eve", NOW)
    found = paused(learner)
    assert found
    assert (found.who, found.since) == ("admin eve", NOW)
    resume(learner)
    assert paused(learner) is None


def test_a_broken_switch_is_off(tmp_path: Path) -> None:
    pause(tmp_path, "admin eve", NOW)
    (tmp_path / "paused.json").write_text("{")
    assert paused(tmp_path)


def test_a_switch_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "learner").write_text("")
    with pytest.raises(NightError, match="check the folder"):
        pause(tmp_path / "learner", "admin eve", NOW)
