"""The real scheduler with a store on disk, over clocks that are moved while it runs and while it does not.

What it starts is the learner's own program; here that program is a line in a file for each start.
"""

from __future__ import annotations

import asyncio
import datetime as real
import sqlite3
import sys
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from agent_runtime import config
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.rows import Row
from agent_runtime.journal.writer import Journal
from agent_runtime.nights import runs, schedule
from agent_runtime.nights.pause import pause, resume
from agent_runtime.nights.runs import Asked, Outcome
from agent_runtime.nights.schedule import JOB, Schedule
from learner.job import limits, lock
from learner.job.folder import begin
from tests.support.modlink import eventually
from tests.support.nights import run_of
from tests.support.rows import consent, rating, turn

UTC = ZoneInfo("UTC")
NIGHT = real.datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


class MovedClock:
    """What the machine's clock says, to the libraries and to us."""

    def __init__(self, now: real.datetime) -> None:
        self.now = now

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = self

        class Datetime(real.datetime):
            @classmethod
            def now(cls, tz: real.tzinfo | None = None) -> real.datetime:  # type: ignore[override]
                return clock.now.astimezone(tz)

        for module in (apscheduler.schedulers.base, apscheduler.executors.base, schedule):
            monkeypatch.setattr(module, "datetime", Datetime)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    moved = MovedClock(NIGHT - timedelta(hours=2))
    moved.install(monkeypatch)
    return moved


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with nights at 04:30 UTC."""
    (tmp_path / "townsfolk.toml").write_text('[learn]\nat = "04:30"\nzone = "UTC"\nlook_s = 3600\n')
    return tmp_path


def noting(home: Path, *arguments: str) -> list[str]:
    """A learner that notes that it was started."""
    script = "import sys; open(sys.argv[1], 'a').write('night\\n')"
    return [sys.executable, "-c", script, str(home / "starts")]


def ratings_now(number: int, *players: str) -> list[Row]:
    """One rating of each of these players, given this moment, who allow training with their talk."""
    now = real.datetime.now(UTC)
    return [
        row
        for n, player in enumerate(players, number)
        for row in (
            consent(n, "allow", player * 16),
            msgspec.structs.replace(rating(n, 1, player=player * 16), rated_at=now),
        )
    ]


def starts(home: Path) -> int:
    path = home / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


class Running:
    """`async with Running(home) as schedule:` it runs inside."""

    def __init__(self, home: Path) -> None:
        self._schedule = Schedule(config.load(home), program=noting)

    async def __aenter__(self) -> Schedule:
        await self._schedule.start()
        await eventually(lambda: self._schedule._scheduler is not None)
        return self._schedule

    async def __aexit__(self, *exc_info: object) -> None:
        await self._schedule.close()


async def look(running: Schedule) -> None:
    """Let it notice the clock, and wait until whatever was due has been started and has ended."""
    await asyncio.to_thread(running.look)
    scheduler = running._scheduler
    assert scheduler
    await eventually(lambda: scheduler.get_job(JOB).next_run_time > schedule.datetime.now(UTC))
    await eventually(lambda: not scheduler._executors["default"]._instances.get(JOB))


async def test_a_night_begins_at_its_time_and_once(home: Path, clock: MovedClock) -> None:
    async with Running(home) as running:
        await look(running)
        assert starts(home) == 0
        clock.now = NIGHT + timedelta(seconds=1)
        await look(running)
        assert starts(home) == 1
        clock.now += timedelta(hours=3)
        await look(running)
        assert starts(home) == 1


async def test_the_clock_goes_back_one_hour_after_the_night_began(home: Path, clock: MovedClock) -> None:
    async with Running(home) as running:
        clock.now = NIGHT + timedelta(minutes=1)
        await look(running)
        clock.now -= timedelta(hours=1)
        for _ in range(12):
            clock.now += timedelta(minutes=10)
            await look(running)
        assert starts(home) == 1
        clock.now = NIGHT + timedelta(days=1, minutes=1)
        await look(running)
        assert starts(home) == 2


@pytest.mark.parametrize("hours", [0, 3])
async def test_the_clock_goes_forward_a_day(home: Path, clock: MovedClock, hours: int) -> None:
    """From before a night to before the next one, and to a little after it."""
    async with Running(home) as running:
        clock.now = NIGHT - timedelta(hours=2) + timedelta(days=1, hours=hours)
        await look(running)
        clock.now = NIGHT + timedelta(days=1, hours=2)
        await look(running)
        assert starts(home) == 1


async def test_a_clock_that_was_a_year_ahead_and_came_back(home: Path, clock: MovedClock) -> None:
    async with Running(home) as running:
        clock.now += timedelta(days=365)
        await look(running)
        before = starts(home)
        clock.now -= timedelta(days=365)
        await look(running)
        clock.now = NIGHT + timedelta(minutes=1)
        await look(running)
        assert starts(home) == before + 1


async def test_a_night_missed_while_nothing_ran_is_made_up_for_once(home: Path, clock: MovedClock) -> None:
    async with Running(home):
        pass
    clock.now = NIGHT + timedelta(hours=2)
    for _ in range(2):
        async with Running(home) as running:
            await look(running)
    assert starts(home) == 1


async def test_a_night_missed_for_longer_than_its_grace_is_left_out(home: Path, clock: MovedClock) -> None:
    async with Running(home):
        pass
    clock.now = NIGHT + timedelta(hours=7)
    async with Running(home) as running:
        await look(running)
    assert starts(home) == 0


async def test_a_run_that_a_restart_interrupted_goes_on_but_not_for_ever(home: Path) -> None:
    """Its folder is begun and taken up as the learner does it. The clock is the machine's."""
    (home / "townsfolk.toml").write_text('[learn]\nat = ""\nafter_raters = 100\n')
    learner = home / "learner"

    def lasting(home: Path, *arguments: str) -> list[str]:
        script = "import sys, time; from pathlib import Path; from learner.job import folder, lock\n"
        script += "with lock.held(Path(sys.argv[1])):\n"
        script += "    folder.begin(Path(sys.argv[1]), sys.argv[2], 'key', 1, dry=False); time.sleep(60)"
        return [sys.executable, "-c", script, str(learner), arguments[-1]]

    def deaths() -> int | None:
        """As `run.json` has it, of the run that goes on; None while none does."""
        last = runs.latest(learner)
        return len(last.asked.deaths) if last and last.alive else None

    first = Schedule(config.load(home), program=lasting)
    beside = asyncio.create_task(asyncio.to_thread(first.begin, "nightly"))
    await eventually(lambda: deaths() == 0)
    with capture_logs() as logs:
        await first.close()
        await beside
    assert [entry["event"] for entry in logs] == ["night_broken_off"], "a restart is no alarm"
    for number in (1, 2):
        running = Schedule(config.load(home), program=lasting)
        await running.start()
        await eventually(lambda number=number: deaths() == number)
        await running.close()
    with capture_logs() as logs:
        last = Schedule(config.load(home), program=lasting)
        await last.start()
        await asyncio.sleep(1)
        await last.close()
    assert "night_begins" not in [entry["event"] for entry in logs], "what kills it may kill the server, too"
    (only,) = runs.runs(learner)
    assert (only.asked.why, only.outcome, only.deaths) == ("nightly", None, 3)


async def test_a_learner_that_is_ended_with_the_server_is_no_alarm(home: Path) -> None:
    """As a service manager ends all processes of a unit at once, while talks may still end."""

    def ended(home: Path, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]

    running = Schedule(config.load(home), program=ended)
    with capture_logs() as logs:
        beside = asyncio.create_task(asyncio.to_thread(running.begin, "nightly"))
        await asyncio.sleep(1)
        await running.close()
        await beside
    assert [entry["event"] for entry in logs] == ["night_begins", "night_broken_off"]


async def test_an_interrupted_run_waits_while_nights_are_turned_off(home: Path) -> None:
    begin(home / "learner", "nightly", "key", 1, dry=False)
    pause(home / "learner", "admin eve", NIGHT)
    with capture_logs() as logs:
        async with Running(home):
            await eventually(lambda: "night_left_out" in [entry["event"] for entry in logs])
    assert starts(home) == 0


async def test_another_time_in_the_settings_takes_the_place_of_the_stored_one(
    home: Path, clock: MovedClock
) -> None:
    async with Running(home):
        pass
    (home / "townsfolk.toml").write_text('[learn]\nat = "05:00"\nzone = "UTC"\n')
    async with Running(home) as running:
        assert running._scheduler
        job = running._scheduler.get_job(JOB)
    assert job.next_run_time == NIGHT + timedelta(minutes=30)


async def test_a_broken_store_is_made_anew(home: Path, clock: MovedClock) -> None:
    (home / "learner").mkdir()
    (home / "learner" / schedule.STORE).write_bytes(b"no database" * 1000)
    async with Running(home) as running:
        clock.now = NIGHT + timedelta(seconds=1)
        await look(running)
    assert starts(home) == 1


async def test_a_night_that_the_store_could_not_note_begins_once(home: Path, clock: MovedClock) -> None:
    async with Running(home) as running:
        clock.now = NIGHT + timedelta(seconds=1)
        running.begin_nightly()
        clock.now += timedelta(minutes=1)
        running.begin_nightly()
        assert starts(home) == 1
        clock.now += timedelta(days=1)
        running.begin_nightly()
    assert starts(home) == 2


async def test_turned_off_and_on_by_an_admin(home: Path, clock: MovedClock) -> None:
    pause(home / "learner", "admin eve", clock.now)
    async with Running(home) as running:
        clock.now = NIGHT + timedelta(seconds=1)
        await look(running)
        assert starts(home) == 0
        resume(home / "learner")
        clock.now = NIGHT + timedelta(days=1, seconds=1)
        await look(running)
    assert starts(home) == 1


async def test_enough_new_raters_begin_a_run(home: Path) -> None:
    """With the journal open in this process, as the runtime has it. The clock is the machine's."""
    (home / "townsfolk.toml").write_text('[learn]\nat = ""\nafter_raters = 2\nlook_s = 0.1\n')
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    running = Schedule(config.load(home), Queries(journal), noting)
    await running.start()
    try:
        await journal.add(turn(1), *ratings_now(2, "a"), rating(3, 1, player="a" * 16))
        await journal.add(*(rating(n, 1, player=player * 16) for n, player in enumerate("cde", 4)))
        await asyncio.sleep(0.5)
        assert starts(home) == 0, "the others did not allow it"
        await journal.add(*ratings_now(7, "b"))
        await eventually(lambda: starts(home) > 0)
    finally:
        await running.close()
        await journal.close()


@pytest.mark.parametrize("held_up", ["turned off", "a run by hand"])
async def test_enough_raters_wait_without_a_word_while_no_run_may_begin(home: Path, held_up: str) -> None:
    (home / "townsfolk.toml").write_text('[learn]\nat = ""\nafter_raters = 2\nlook_s = 0.1\n')
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    await journal.add(turn(1), *ratings_now(2, "a", "b"))
    running = Schedule(config.load(home), Queries(journal), noting)
    try:
        with ExitStack() as stack:
            logs = stack.enter_context(capture_logs())
            if held_up == "turned off":
                pause(home / "learner", "admin eve", NIGHT)
                stack.callback(resume, home / "learner")
            else:
                stack.enter_context(lock.held(home / "learner"))
            await running.start()
            await asyncio.sleep(1)
            assert not logs
        await eventually(lambda: starts(home) == 1)
    finally:
        await running.close()
        await journal.close()


async def test_a_disturbed_store_keeps_neither_counting_nor_erasing_from_its_work(home: Path) -> None:
    """The store's table is gone for a while. The clock is the machine's."""
    (home / "townsfolk.toml").write_text('[learn]\nat = "04:30"\nafter_raters = 2\nlook_s = 0.1\n')
    folder = run_of(home / "learner", "00001", "a" * 16, erasures=0)
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    running = Schedule(config.load(home), Queries(journal), noting)
    await running.start()
    try:
        await eventually(lambda: running._scheduler is not None)
        with closing(sqlite3.connect(home / "learner" / schedule.STORE)) as store:
            store.execute("drop table apscheduler_jobs")
        with pytest.raises(OperationalError):
            await asyncio.to_thread(running.look)
        await asyncio.sleep(0.5)
        await journal.add(consent(1, "erase", player="a" * 16))
        await eventually(lambda: [path.name for path in folder.iterdir()] == ["run.json"])
        await journal.add(turn(1), *ratings_now(2, "b", "c"))
        await eventually(lambda: starts(home) > 0)
    finally:
        await running.close()
        await journal.close()


async def test_a_run_that_could_not_be_begun_is_tried_again_once_as_many_rated(home: Path) -> None:
    (home / "townsfolk.toml").write_text('[learn]\nat = ""\nafter_raters = 2\nlook_s = 0.1\n')
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    tried: list[Path] = []

    def broken_once(home: Path, *arguments: str) -> list[str]:
        tried.append(home)
        if len(tried) == 1:
            raise RuntimeError("a bug of ours")
        return noting(home, *arguments)

    running = Schedule(config.load(home), Queries(journal), broken_once)
    await running.start()
    try:
        await journal.add(turn(1), *ratings_now(2, "a", "b"))
        await eventually(lambda: tried)
        await asyncio.sleep(0.5)
        assert len(tried) == 1, "not at every look"
        await journal.add(*ratings_now(4, "c", "d"))
        await eventually(lambda: starts(home) > 0)
    finally:
        await running.close()
        await journal.close()


async def test_a_run_that_ends_before_it_has_a_folder_is_not_told_as_an_older_one(home: Path) -> None:
    folder = begin(home / "learner", "nightly", "key", 1, dry=False, now=NIGHT)
    folder.end(Outcome("canary", "20 held-out raters prefer it", NIGHT, version=3))

    def refuses(home: Path, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit(2)"]

    with capture_logs() as logs:
        Schedule(config.load(home), program=refuses).begin("nightly")
    (failed,) = (entry for entry in logs if entry["event"] == "night_failed")
    assert failed["why"] == "it ended with status 2; its log says why"


async def test_a_night_beside_a_run_by_hand_is_left_out_and_no_alarm(home: Path) -> None:
    """With the learner's own program."""
    with lock.held(home / "learner"), capture_logs() as logs:
        Schedule(config.load(home)).begin("nightly")
    assert [entry["event"] for entry in logs] == ["night_begins", "night_left_out"]
    assert "one run goes on at a time" in (home / "logs" / "learner.log").read_text()


async def test_a_run_that_failed_is_told_with_its_reason(home: Path) -> None:
    """As one that passed a limit ends, which no orderly end comes after."""
    asked = Asked(id="00001", began=NIGHT, why="nightly", key="key", seed=1)
    outcome = Outcome("failed", "train: the loss is nan", NIGHT, stage="train", reason="nan")

    def fails(home: Path, *arguments: str) -> list[str]:
        made = {"run.json": msgspec.json.encode(asked), "outcome.json": msgspec.json.encode(outcome)}
        script = "import pathlib, sys; folder = pathlib.Path(sys.argv[1]); folder.mkdir(parents=True); "
        script += f"[(folder / name).write_bytes(text) for name, text in {made!r}.items()]; "
        script += f"sys.exit({limits.STATUS})"
        return [sys.executable, "-c", script, str(home / "learner" / "runs" / "00001")]

    with capture_logs() as logs:
        Schedule(config.load(home), program=fails).begin("nightly")
    (failed,) = (entry for entry in logs if entry["event"] == "night_failed")
    assert failed["why"] == "train: the loss is nan"


async def test_an_erasure_reaches_earlier_nights_though_there_are_none_now(home: Path) -> None:
    (home / "townsfolk.toml").write_text('[learn]\nat = ""\nlook_s = 0.1\n')
    folder = run_of(home / "learner", "00001", "a" * 16, erasures=0)
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    running = Schedule(config.load(home), Queries(journal), noting)
    await running.start()
    try:
        await journal.add(consent(1, "erase", player="a" * 16))
        await eventually(lambda: [path.name for path in folder.iterdir()] == ["run.json"])
        assert starts(home) == 0
    finally:
        await running.close()
        await journal.close()
