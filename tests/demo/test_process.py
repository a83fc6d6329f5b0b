"""Child processes: they are waited for, asked to end, made to end, and do not outlive us."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from demo import process as module
from demo.errors import ServerFailed
from demo.process import Process, environment

POLITE = "trap 'echo bye; exit 0' TERM INT; echo up; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM INT; echo up; while :; do sleep 0.05; done"


async def started(tmp_path: Path, script: str) -> Process:
    process = Process("the test", tmp_path / "log")
    await process.start(["sh", "-c", script], {})
    await process.ready(lambda log: "up" in log, within=10)
    return process


async def test_settings_of_a_townsfolk_here_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_JOURNAL__PATH", "/srv/journal.duckdb")
    monkeypatch.setenv("LANG", "C.UTF-8")
    given = environment({"TOWNSFOLK_SERVER__PORT": "0"})
    assert "TOWNSFOLK_JOURNAL__PATH" not in given
    assert (given["TOWNSFOLK_SERVER__PORT"], given["LANG"]) == ("0", "C.UTF-8")


async def test_a_process_is_asked_to_end(tmp_path: Path) -> None:
    process = await started(tmp_path, POLITE)
    assert process.running
    assert await process.stop() == 0
    assert "bye" in process.text()
    assert not process.running


async def test_a_process_that_will_not_end_is_made_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN", 0.3)
    process = await started(tmp_path, STUBBORN)
    pid = process.pid
    assert await process.stop() == -signal.SIGKILL
    assert not psutil.pid_exists(pid)


async def test_one_that_ends_while_starting_is_said_to_with_its_log(tmp_path: Path) -> None:
    process = Process("the test", tmp_path / "log")
    await process.start(["sh", "-c", "echo no such world; exit 3"], {})
    with pytest.raises(ServerFailed, match=r"ended while starting with status 3(.|\n)*no such world"):
        await process.ready(lambda log: "up" in log, within=10)


async def test_how_it_ended_is_told_in_words(tmp_path: Path) -> None:
    process = await started(tmp_path, POLITE)
    assert process.how() == ""
    await process.stop()
    assert process.how() == ""
    process = await started(tmp_path, POLITE)
    process.kill()
    await process.ended()
    assert process.how() == " by signal SIGKILL"


async def test_one_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    process = Process("the test", tmp_path / "log")
    await process.start(["sh", "-c", POLITE], {})
    with pytest.raises(ServerFailed, match="was not ready"):
        await process.ready(lambda log: "never" in log, within=0.5)
    assert not process.running


async def test_after_a_restart_only_the_new_log_counts(tmp_path: Path) -> None:
    process = await started(tmp_path, POLITE)
    process.kill()
    await process.ended()
    await process.start(["sh", "-c", "echo second; sleep 60"], {})
    await process.ready(lambda log: "second" in log, within=10)
    assert "up" not in process.text()
    assert "up" in process.log.read_text()
    await process.stop()


async def test_a_process_does_not_outlive_us(tmp_path: Path) -> None:
    """We are played by another Python, which is killed without having had time for anything."""
    script = (
        "import asyncio, pathlib, sys\n"
        "from demo.process import Process\n"
        "async def main():\n"
        "    child = Process('the child', pathlib.Path(sys.argv[1]))\n"
        "    await child.start(['sleep', '60'], {})\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    us = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", script, str(tmp_path / "log")),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(module.__file__).parent.parent,
    )
    assert us.stdout
    child = psutil.Process(int(await us.stdout.readline()))
    os.kill(us.pid, signal.SIGKILL)
    await us.wait()
    await asyncio.to_thread(child.wait, 10)
    assert not child.is_running()
