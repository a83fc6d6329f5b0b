"""APScheduler's background scheduler, whose thread outlives an error of its store."""

from __future__ import annotations

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

AGAIN_S = 60.0

log = structlog.get_logger(__name__)


class SteadyScheduler(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler's own thread ends where a job cannot be written back, on a full disk, say, and in silence:
    no job would be run from then on. This one tries again; what could not be written back is due again."""

    def _process_jobs(self) -> float | None:
        """Run what is due; the seconds to wait then."""
        try:
            waits: float | None = super()._process_jobs()
        except Exception as error:
            log.warning("schedule_disturbed", why=repr(error))
            return AGAIN_S
        return waits
