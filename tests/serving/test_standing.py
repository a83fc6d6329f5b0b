"""What a server leaves for its own next start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_runtime.serving.standing import Standing
from tests.support.engine import ScriptedEngine


async def test_who_serves_is_left_until_the_end_in_good_order(tmp_path: Path) -> None:
    standing = Standing(ScriptedEngine(), tmp_path)
    assert standing.left is None
    await standing.tell(1, 2, 0.2, suspect=2)
    left = Standing(ScriptedEngine(), tmp_path).left
    assert left
    assert (left.pid, left.champion, left.challenger) == (os.getpid(), 1, 2)
    assert (left.share, left.suspect) == (0.2, 2)
    standing.clear()
    standing.clear()
    assert standing.left is None


async def test_a_folder_that_cannot_be_written_is_an_alarm_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    standing = Standing(ScriptedEngine(), tmp_path / "file")
    await standing.tell(0, None, 0.0, suspect=0)
    standing.clear()
    assert "status_not_written" in capsys.readouterr().out
