"""Tells a running server, within a moment, what was decided about versions by anybody, anywhere.

It looks at one file's metadata now and then, on the event loop, and reads it only when that changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import structlog

from agent_runtime.errors import RegistryError
from agent_runtime.registry.audit import State
from agent_runtime.registry.store import Registry

log = structlog.get_logger(__name__)

Mark = tuple[int, int, int]


async def states(registry: Registry, seconds: float) -> AsyncGenerator[State, None]:
    """The state, at once and whenever it changed; looks every `seconds`. A log that cannot be read is an
    alarm, and what was decided before holds on."""
    seen: Mark | None = None
    while True:
        mark = _mark(registry)
        if mark != seen:
            seen = mark
            try:
                state = registry.state()
            except RegistryError as error:
                log.error("registry_unreadable", error=str(error))
            else:
                yield state
        await asyncio.sleep(seconds)


def _mark(registry: Registry) -> Mark:
    """Differs whenever the log's contents do: it is only appended to, or replaced as a whole."""
    try:
        found = registry.log_path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
