"""What a server leaves for its own next start."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent_runtime.errors import EngineDown
from agent_runtime.registry.status import StatusFiles
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


@pytest.mark.parametrize(
    ("boot", "blamed"),
    [("", True), ("this run's", True), ("another run's", False)],
    ids=["of an earlier release", "the machine ran on", "the machine went down"],
)
async def test_what_went_down_with_the_machine_left_nothing_to_blame(
    tmp_path: Path, boot: str, blamed: bool
) -> None:
    standing, files = Standing(ScriptedEngine(), tmp_path), StatusFiles(tmp_path)
    await standing.tell(1, None, 0.0, suspect=1)
    status = files.status()
    assert status
    if boot != "this run's":
        files.write_status(replace(status, boot=boot))
    assert (standing.left is not None) == blamed


async def test_a_folder_that_cannot_be_written_is_an_alarm_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    standing = Standing(ScriptedEngine(), tmp_path / "file")
    await standing.tell(0, None, 0.0, suspect=0)
    standing.clear()
    assert "status_not_written" in capsys.readouterr().out


async def test_who_serves_is_excused_while_something_else_is_loaded_and_once_the_engine_ended_over_it(
    tmp_path: Path,
) -> None:
    standing = Standing(ScriptedEngine(), tmp_path)
    told: list[bool] = []

    async def tell() -> None:
        told.append(standing.excuses)

    async with standing.excusing(tell):
        assert standing.excuses
    with pytest.raises(EngineDown):
        async with standing.excusing(tell):
            raise EngineDown("the engine's process ended")
    assert standing.excuses, "that it ended is told a moment later"
    standing.engine_back()
    assert not standing.excuses
    assert told == [True, False, True, True]


async def test_of_two_who_tell_at_once_the_last_one_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standing = Standing(ScriptedEngine(), tmp_path)
    for number in range(50):
        await asyncio.gather(*(standing.tell(1, None, 0.0, suspect=suspect) for suspect in (0, number)))
        assert standing.left
        assert standing.left.suspect == number
    assert capsys.readouterr().out == ""
