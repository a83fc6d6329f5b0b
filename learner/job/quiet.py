"""Waits while players talk, when told so: the registry's status and the journal are asked, nothing is
changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent_runtime.config import Settings
from agent_runtime.errors import JournalError
from agent_runtime.journal.source import ask, open_source
from agent_runtime.journal.views import Filter, TurnSummary
from agent_runtime.registry.status import StatusFiles

QUIET = timedelta(seconds=30)
"""After so long without a line nobody is talking."""
LOOK_SECONDS = 5.0

Wait = Callable[[], None]
"""Returns once nobody talks."""


def never() -> None:
    """For who need not wait."""


def waiting(
    settings: Settings, told: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Wait:
    """A function to call as often as one likes: it looks every few seconds, and returns when nobody talks."""
    if not settings.learn.wait_while_serving:
        return never
    looked = 0.0

    def wait() -> None:
        nonlocal looked
        if time.monotonic() - looked < LOOK_SECONDS:
            return
        while talked_lately(settings):
            told("waiting: players are talking")
            sleep(LOOK_SECONDS)
        looked = time.monotonic()

    return wait


def talked_lately(settings: Settings, now: datetime | None = None) -> bool:
    """Whether a player talks on the server of this home. A journal that cannot be asked says no."""
    status = StatusFiles(settings.registry_path).status()
    if status is None or not status.alive:
        return False
    now = now or datetime.now(UTC)
    # What was said while the clock was ahead is no talk of now.
    lately = Filter(since=now - QUIET, until=now + QUIET, limit=1)
    try:
        with open_source(settings.journal_path) as source:
            return bool(ask(source, "turns", lately, TurnSummary))
    except JournalError:
        return False
