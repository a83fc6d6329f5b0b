"""One run at a time, over all processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent_runtime.errors import NightBusy
from agent_runtime.nights import runs
from learner.job.lock import held


def test_who_comes_second_is_told_who_was_first(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from learner.job.lock import held\n"
    script += "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        holder = runs.holder(tmp_path)
        assert holder
        assert holder.pid == other.pid
        with pytest.raises(NightBusy, match=f"process {other.pid} learns since 20"), held(tmp_path):
            pass
        other.kill()
    with held(tmp_path):
        holder = runs.holder(tmp_path)
        assert holder
        assert holder.pid == os.getpid()
    assert runs.holder(tmp_path) is None


def test_who_looks_holds_up_nobody(tmp_path: Path) -> None:
    with held(tmp_path):
        pass
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            runs.holder(tmp_path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(200):
            with held(tmp_path):
                pass
    finally:
        over.set()
        looker.join()


def test_a_lock_that_says_nothing_is_still_a_lock(tmp_path: Path) -> None:
    with held(tmp_path):
        (tmp_path / runs.LOCK).write_bytes(b"")
        with pytest.raises(NightBusy, match="has just begun"), held(tmp_path):
            pass
