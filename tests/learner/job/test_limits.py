"""What a run may take, and that it ends with its reason when it takes more."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time

import psutil
import pytest

from learner.job.limits import STATUS, Watch


@pytest.mark.parametrize(("memory_mb", "minutes", "reason"), [(1, 10, "out_of_memory"), (1e9, 1e-6, "time")])
def test_a_run_beyond_a_limit_is_ended_with_the_reason(memory_mb: float, minutes: float, reason: str) -> None:
    told: list[tuple[str, str]] = []
    ended = threading.Event()
    statuses: list[int] = []

    def end(status: int) -> None:
        statuses.append(status)
        ended.set()

    with Watch(memory_mb, minutes, lambda *what: told.append(what), end=end):
        assert ended.wait(10)
    assert statuses == [STATUS]
    assert [why for why, _ in told] == [reason]
    assert "raise learn." in told[0][1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_is_ended_though_its_reason_cannot_be_written() -> None:
    def over(reason: str, what: str) -> None:
        raise OSError(errno.ENOSPC, reason)

    ended = threading.Event()
    with Watch(1, 10, over, end=lambda status: ended.set()):
        assert ended.wait(10)


def test_what_it_waits_is_not_counted_while_it_waits_and_after() -> None:
    ended = threading.Event()
    with Watch(1e9, 1 / 60, lambda *what: None, end=lambda status: ended.set()) as watch:
        with watch.paused():
            assert not ended.wait(1.6)
        resumed = time.monotonic()
        assert ended.wait(10)
        assert time.monotonic() - resumed > 0.5


def test_the_most_memory_is_known() -> None:
    ticked = threading.Event()
    with Watch(1e9, 10, lambda *what: None, end=lambda status: None) as watch:
        while not watch.peak_mb:
            assert not ticked.wait(0.05)
    assert 10 < watch.peak_mb < 1e5


def test_a_run_takes_only_what_nobody_else_wants() -> None:
    script = "import psutil; from learner.job.limits import give_way; give_way(); me = psutil.Process(); "
    script += "print(me.nice(), int(me.ionice().ioclass))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["19", str(int(psutil.IOPRIO_CLASS_IDLE))]
