"""Starts the learner at its time, and when enough players rated: settings come in, runs are started.

The schedule is APScheduler's, with its job in HOME/learner/schedule.sqlite: a night that was missed while
nothing ran is made up for within its grace, once, and a run that was interrupted goes on within it. All of it
lives in threads of its own, so that neither its disk nor its waiting touches the talks; nothing here raises
for what the learner does.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from signal import SIGTERM
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import structlog

from agent_runtime.config import Settings
from agent_runtime.errors import JournalError, NightError, RegistryError
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.views import Filter
from agent_runtime.nights import runs
from agent_runtime.nights.child import BUSY, Child, Program, command, how_to_install, missing
from agent_runtime.nights.erased import purge
from agent_runtime.nights.pause import paused
from agent_runtime.nights.raters import raters, since_last_run
from agent_runtime.registry.store import Registry

if TYPE_CHECKING:
    from agent_runtime.nights.scheduler import SteadyScheduler
    from agent_runtime.nights.trigger import Nightly

JOB = "night"
STORE = "schedule.sqlite"
ENDING_SECONDS = 10.0

log = structlog.get_logger(__name__)

_schedules: dict[str, Schedule] = {}
"""By home: a stored job can only name a function and plain values."""


def night(home: str) -> None:
    """The stored job."""
    if home in _schedules:
        _schedules[home].begin_nightly()


def trigger_of(settings: Settings) -> Nightly | None:
    """When nights begin; None without a time for them."""
    from agent_runtime.nights.trigger import Nightly

    if not settings.learn.at:
        return None
    return Nightly(settings.learn.at, ZoneInfo(settings.learn.zone) if settings.learn.zone else None)


class Schedule:
    """`await start()` once serving works, `await close()` when it ends."""

    def __init__(
        self, settings: Settings, queries: Queries | None = None, program: Program = command
    ) -> None:
        """`queries` are of the journal that this process has open; without them, raters are not counted."""
        self._settings = settings
        self._queries = queries
        self._learn = settings.learn
        self._folder = settings.learner_folder
        self._registry = Registry(settings.registry_path)
        self._grace = timedelta(seconds=max(1, round(settings.learn.grace_h * 3600)))
        self._child = Child(settings.home, program)
        self._scheduler: SteadyScheduler | None = None
        self._task: asyncio.Task[None] | None = None
        self._begun = False
        self._started: datetime | None = None
        self._nightly: datetime | None = None
        self._opening = threading.Lock()
        self._closed = threading.Event()

    async def start(self) -> None:
        """Begin; what is wrong with the schedule is logged, and serving goes on without it."""
        nights = bool(self._learn.at or self._learn.after_raters)
        if nights and missing():
            log.info("no_nights", why=how_to_install())
            nights = False
        self._task = asyncio.create_task(self._run(nights))

    async def close(self) -> None:
        """End it, and a run that goes on: the next start takes it up within its grace, else the next run."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._close)

    def begin_nightly(self) -> None:
        """The same at the night's time, once, though the store could not note that it began."""
        from agent_runtime.nights.trigger import APART

        now = datetime.now(UTC)
        if self._nightly is None or abs(now - self._nightly) >= APART:
            self._nightly = now
            self.begin("nightly")

    def begin(self, why: str) -> None:
        """Run the learner now, and wait for it. Called from a thread."""
        off = paused(self._folder)
        if off:
            log.info("night_left_out", why=f"turned off by {off.who}; `townsfolk learn schedule --on`")
            return
        log.info("night_begins", why=why, log=str(self._child.log))
        before = runs.last_outcome(self._folder)
        earlier, self._started = self._started, datetime.now(UTC)
        try:
            status = self._child.run(why)
        except NightError as error:
            log.error("night_failed", why=str(error))
            return
        if status is None or status == BUSY:
            self._started = earlier
            log.info("night_left_out", why="a run goes on already")
            return
        outcome = None
        after = runs.last_outcome(self._folder)
        if after != before:  # otherwise it ended before it had a folder, and the newest is an earlier run
            outcome, self._started = after[1], earlier
        # Whoever ended the learner may have told the server to end as well, which lets talks end first.
        if self._closed.wait(ENDING_SECONDS if status == -SIGTERM else 0):
            log.info("night_broken_off", why="the server ends; it goes on when it is up again")
        elif status == 0 and outcome:
            log.info("night_ended", outcome=outcome.ended, summary=outcome.summary, version=outcome.version)
        else:
            why = outcome.summary if outcome else f"it ended with status {status}; its log says why"
            log.error("night_failed", why=why, status=status, log=str(self._child.log))

    async def _run(self, nights: bool) -> None:
        if nights and self._learn.at:
            await _tried(asyncio.to_thread(self._start))
        if nights:
            await _tried(asyncio.to_thread(self._take_up))
        while True:
            await asyncio.sleep(self._learn.look_s)
            if nights:
                await _tried(asyncio.to_thread(self.look))
                await _tried(self._count())
            await _tried(self._forget())  # also what nights of before made

    def _start(self) -> None:
        """Put the night into the store, where it may have been before."""
        with self._opening:
            if not self._closed.is_set():
                self._put()

    def _take_up(self) -> None:
        """Go on with a run that was interrupted, by the end of the server for one, as with a missed night."""
        if runs.interrupted(self._folder, self._grace, datetime.now(UTC)):
            self._begin_beside("a run was interrupted")

    def _put(self) -> None:
        try:
            self._scheduler = self._open()
        except Exception as error:
            # The store holds the next night's time and nothing else: a broken one is made anew.
            log.warning("schedule_made_anew", why=repr(error))
            with suppress(OSError):
                (self._folder / STORE).unlink(missing_ok=True)
            try:
                self._scheduler = self._open()
            except Exception as again:
                log.error("no_nights", why=repr(again))
                return
        job = self._scheduler.get_job(JOB)
        log.info("next_night", at=str(job.next_run_time) if job else None)

    def _open(self) -> SteadyScheduler:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

        from agent_runtime.nights.scheduler import SteadyScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # we tell ourselves what it does
        self._folder.mkdir(parents=True, exist_ok=True)
        trigger = trigger_of(self._settings)
        assert trigger is not None
        scheduler = SteadyScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{self._folder / STORE}")},
            executors={"default": ThreadPoolExecutor(1)},
            timezone=trigger.timezone,
        )
        _schedules[str(self._settings.home)] = self
        scheduler.start(paused=True)
        scheduler.add_job(
            night,
            trigger,
            args=(str(self._settings.home),),
            id=JOB,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=int(self._grace.total_seconds()),
            **_kept_time(scheduler.get_job(JOB), trigger),
        )
        scheduler.resume()
        return scheduler

    def look(self) -> None:
        """Notice that the clock was moved. Called from a thread."""
        if self._scheduler:
            job = self._scheduler.get_job(JOB)
            if job and not _is_near(job.next_run_time):
                self._scheduler.reschedule_job(JOB, trigger=job.trigger)
            self._scheduler.wakeup()

    async def _count(self) -> None:
        """Begin when enough players, of those whose ratings it would see, rated since the last run, or since
        one that came to nothing."""
        if not self._queries or not self._learn.after_raters or self._begun:
            return
        chosen = await asyncio.to_thread(self._counted)
        if chosen is None:
            return
        try:
            rated = await self._queries.ratings(chosen)
        except JournalError as error:
            log.warning("raters_not_counted", why=str(error))
            return
        if raters(rated, self._settings.privacy.consent) >= self._learn.after_raters:
            self._begin_beside("enough new raters")

    def _counted(self) -> Filter | None:
        """What selects the ratings that could begin a run; None while no run may begin."""
        if paused(self._folder) or runs.holder(self._folder):
            return None
        return since_last_run(self._folder, self._started)

    async def _forget(self) -> None:
        """Take away what nights made of the talk of players who had it erased in the game."""
        if not self._queries:
            return
        try:
            erased = {row.player: row for row in await self._queries.erasures()}
            purged = await asyncio.to_thread(purge, self._folder, self._registry, erased, "server")
        except (JournalError, NightError, RegistryError) as error:
            log.warning("nights_not_purged", why=str(error))
            return
        if purged.runs or purged.versions:
            log.info("nights_purged", runs=purged.runs, versions=purged.versions)

    def _begin_beside(self, why: str) -> None:
        """Begin in a thread of its own; raters are not counted until it ends."""

        def begin() -> None:
            try:
                self.begin(why)
            except Exception as error:
                log.error("night_failed", why=repr(error))
            finally:
                self._begun = False

        self._begun = True
        threading.Thread(target=begin, daemon=True).start()

    def _close(self) -> None:
        self._closed.set()
        self._child.close()
        with self._opening:
            if self._scheduler:
                self._scheduler.shutdown(wait=True)
        _schedules.pop(str(self._settings.home), None)


async def _tried(step: Awaitable[None]) -> None:
    """What fails is logged, and keeps nothing else from its work, now or at the next look."""
    try:
        await step
    except Exception as error:
        log.error("nights_disturbed", why=repr(error))


def _kept_time(before: Any, trigger: Nightly) -> dict[str, datetime]:
    """The stored job's time, so that a night which was missed while nothing ran is still due: adding a job
    that is there would put the next one in its place."""
    if before is None or getattr(before.trigger, "at", None) != trigger.at:
        return {}
    return {"next_run_time": before.next_run_time} if _is_near(before.next_run_time) else {}


def _is_near(moment: datetime | None) -> bool:
    from agent_runtime.nights.trigger import FAR

    return moment is not None and moment.astimezone(UTC) - datetime.now(UTC) < FAR - timedelta(hours=1)
