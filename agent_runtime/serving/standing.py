"""What a server leaves for its own next start: who serves goes into a file, and whoever ended without a word
comes out of it. While the engine loads what is no version, that is nobody.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from agent_runtime.engine.interface import Engine
from agent_runtime.errors import EngineDown
from agent_runtime.registry.status import Status, StatusFiles

MACHINE = Path("/etc/machine-id")
BOOT = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger(__name__)


class Standing:
    """The status file of a registry's folder. Never raises for a disk."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine = engine
        self._files = StatusFiles(root)
        self._others = 0
        self._ended_over_one = False
        self._writing = asyncio.Lock()

    @property
    def excuses(self) -> bool:
        """Whether the engine loads what is no version, or has just ended over it."""
        return self._others > 0 or self._ended_over_one

    @asynccontextmanager
    async def excusing(self, tell: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Inside, the engine loads what is no version. `tell` is called when that begins and when it ends."""
        self._others += 1
        try:
            await tell()
            yield
            self._ended_over_one = False
        except EngineDown:
            # That the engine ended is told a moment later.
            self._ended_over_one = True
            raise
        finally:
            self._others -= 1
            await tell()

    @property
    def place(self) -> str:
        """On which machine, with how many cores, and on what this serves."""
        try:
            machine = MACHINE.read_text().strip()
        except OSError:
            machine = ""
        model = self._engine.info
        return f"{platform.node()} {machine} {os.cpu_count()} {model.name} {model.digest}"

    def engine_back(self) -> None:
        """Whatever it ended over is past."""
        self._ended_over_one = False

    @property
    def left(self) -> Status | None:
        """What a process left that did not end in good order, though the machine ran on: a power cut is no
        program's doing."""
        status = self._files.status()
        return status if status and status.boot in ("", _boot()) else None

    async def tell(self, champion: int, challenger: int | None, share: float, suspect: int) -> None:
        """Let others, and the next start, know what serves, and what was loaded last."""
        status = Status(
            pid=os.getpid(),
            boot=_boot(),
            base=self._engine.info.digest,
            champion=champion,
            challenger=challenger,
            share=share,
            suspect=suspect,
            since=datetime.now(UTC),
        )
        async with self._writing:  # in the order in which it was told
            try:
                await asyncio.to_thread(self._files.write_status, status)
            except OSError as error:
                log.error("status_not_written", error=str(error))

    def clear(self) -> None:
        """This one ends in good order."""
        with suppress(OSError):
            self._files.clear_status()


def _boot() -> str:
    """Another one after each start of the machine; empty on a system that does not tell."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""
