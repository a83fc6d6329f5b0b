"""The scheduler's thread over a real store that refuses to be written for a while."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

from agent_runtime.nights import scheduler
from agent_runtime.nights.scheduler import SteadyScheduler

REFUSE = "create trigger full before update on apscheduler_jobs begin select raise(fail, 'disk full'); end"

runs: list[datetime] = []
ran = threading.Event()


def job() -> None:
    runs.append(datetime.now(UTC))
    ran.set()


def test_a_job_that_cannot_be_written_back_is_run_again_and_then_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "AGAIN_S", 0.05)
    path = tmp_path / "schedule.sqlite"
    steady = SteadyScheduler(jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{path}")})
    steady.start(paused=True)
    try:
        steady.add_job(job, "interval", seconds=1, id="often", coalesce=True, misfire_grace_time=60)
        with closing(sqlite3.connect(path)) as store:
            store.execute(REFUSE)
        due = steady.get_job("often").next_run_time
        steady.resume()
        assert ran.wait(10)
        assert steady.get_job("often").next_run_time == due, "it could not be written back"
        with closing(sqlite3.connect(path)) as store:
            store.execute("drop trigger full")
        ran.clear()
        assert ran.wait(10)
        until = datetime.now(UTC) + timedelta(seconds=10)
        while steady.get_job("often").next_run_time <= due and datetime.now(UTC) < until:
            ran.wait(0.05)
        assert steady.get_job("often").next_run_time > due
    finally:
        steady.shutdown()
