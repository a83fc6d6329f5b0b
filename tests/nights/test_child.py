"""The learner as a process of its own: started, waited for, ended."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from agent_runtime.errors import NightError
from agent_runtime.nights.child import LOG_BYTES, Child, Program


def program(script: str) -> Program:
    return lambda home, *arguments: [sys.executable, "-c", script, str(home), *arguments]


def test_it_is_told_why_and_its_words_are_kept(tmp_path: Path) -> None:
    child = Child(tmp_path, program("import sys; print(*sys.argv[1:]); sys.exit(3)"))
    assert child.run("nightly") == 3
    assert child.log.read_text() == f"{tmp_path} run --why nightly\n"


def test_a_long_log_becomes_the_older_one(tmp_path: Path) -> None:
    child = Child(tmp_path, program("print('night')"))
    for words in ("first", "second"):
        child.run("nightly")
        assert child.log.read_text().endswith("night\n")
        child.log.write_text(words * LOG_BYTES)
    child.run("nightly")
    assert child.log.read_text() == "night\n"
    assert sorted(path.name for path in child.log.parent.iterdir()) == ["learner.log", "learner.log.1"]
    assert child.log.with_suffix(".log.1").read_text().startswith("second")


def test_one_at_a_time_and_none_after_the_end(tmp_path: Path) -> None:
    others = psutil.Process().children()
    child = Child(tmp_path, program("import time; print('begun', flush=True); time.sleep(60)"))
    statuses: list[int | None] = []
    thread = threading.Thread(target=lambda: statuses.append(child.run("nightly")))
    thread.start()
    deadline = time.monotonic() + 20
    while not (child.log.exists() and "begun" in child.log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert child.run("raters") is None
    child.close()
    thread.join(10)
    assert statuses == [-15]
    assert child.run("nightly") is None
    assert psutil.Process().children() == others


def test_what_cannot_be_started_says_so(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a folder")
    with pytest.raises(NightError, match="cannot be started"):
        Child(tmp_path, program("")).run("nightly")
