from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent_runtime.registry.canary import Trial
from agent_runtime.registry.guard import FirstWords, Tally
from agent_runtime.registry.status import Memo, Status, StatusFiles


def status(pid: int) -> Status:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Status(pid=pid, base="b" * 64, champion=2, challenger=None, suspect=2, since=now)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    files = StatusFiles(tmp_path / "registry")
    assert (files.status(), files.memo()) == (None, None)
    began = datetime(2026, 11, 20, 4, 30, 0, 7, tzinfo=UTC)
    tally = Tally(turns=3, first_words=[FirstWords(1.5, 4)])
    memo = Memo({2: tally}, Trial(1, 2, 0.0, 0.0, 5.0, 0.2, counted={"t"}), {2: began})
    files.write_status(status(1))
    files.write_memo(msgspec.json.encode(memo))
    assert (files.status(), files.memo()) == (status(1), memo)
    files.clear_status()
    files.clear_status()
    assert files.status() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "trial": 1}'])
def test_what_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path, text: str) -> None:
    for name in ("serving.json", "trials.json"):
        (tmp_path / name).write_text(text)
    files = StatusFiles(tmp_path)
    assert files.status() is None
    assert files.memo() is None


def test_a_process_that_ended_is_not_alive() -> None:
    assert status(os.getpid()).alive
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert not status(child.pid).alive
