"""A persona with an adapter of its own comes in, the lane that answers for it goes out.

Adapters are loaded when they are first wanted, one lane for each file and its content. What cannot serve is
refused with its reason in the log, and the champion answers for the persona; a file that changed is looked
at again. Says nothing of the registry's versions: no trial and no guard counts these replies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import structlog

from agent_runtime.engine.interface import Engine, Lane
from agent_runtime.engine.modelfile import digest
from agent_runtime.errors import AdapterError, EngineEnded, EngineError
from agent_runtime.npc.persona import Persona
from agent_runtime.registry.audit import BARE
from agent_runtime.serving.served import Served

ENDINGS = 2
"""So often may the engine's process end while it loads a file, which can happen to any, before the file is
refused."""

log = structlog.get_logger(__name__)

_Mark = tuple[int, int]
"""Size and time of change: a file with another mark is another adapter."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What became of a file as it was then; `served` is None when it was refused."""

    mark: _Mark
    served: Served | None


def lane_key(adapter: str) -> str:
    """The lane of an adapter with this sha256: what a server elsewhere must list it as."""
    return f"own-{adapter[:12]}"


class PersonaLanes:
    """The lanes of personas on one engine, which must have started. How many adapters are in memory is the
    engine's affair. Each is loaded within a `beside()`."""

    def __init__(
        self, engine: Engine, beside: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    ) -> None:
        self._engine = engine
        self._beside = beside
        self._known: dict[Path, _Known] = {}
        self._endings = Counter[tuple[Path, _Mark]]()
        self._changing = asyncio.Lock()

    async def served(self, persona: Persona) -> Served | None:
        """The lane that answers for this persona; None for the champion's, because it names no adapter or one
        that cannot serve."""
        if persona.adapter is None:
            return None
        path = persona.adapter.resolve()
        known = self._known.get(path)
        if known and self._holds(known, _mark(path)):
            return known.served
        async with self._changing:
            try:
                return await self._take_up(path, persona.id)
            except EngineError as error:
                log.warning("adapter_has_to_wait", persona=persona.id, adapter=str(path), why=str(error))
                return None

    async def _take_up(self, path: Path, persona: str) -> Served | None:
        """Load the file as it is now. Raises `EngineError` for what is no fault of the file."""
        mark, known = _mark(path), self._known.get(path)
        if known and self._holds(known, mark):
            return known.served
        if known:
            # The engine knows adapters by their paths, so the old one must be gone before the new one comes.
            if known.served:
                await self._drop(known.served)
            self._known.pop(path, None)
        served: Served | None = None
        try:
            served = await self._load(path, mark)
        except (AdapterError, EngineEnded) as error:
            self._endings[path, mark] += isinstance(error, EngineEnded)
            if isinstance(error, EngineEnded) and self._endings[path, mark] < ENDINGS:
                raise
            log.error("adapter_refused", persona=persona, why=str(error), serves="the champion")
        else:
            log.info("adapter_serves", persona=persona, lane=served.lane, adapter=str(path))
        self._known[path] = _Known(mark, served)
        return served

    async def _drop(self, served: Served) -> None:
        """Take a lane out of service, for every file that has this content."""
        self._known = {path: known for path, known in self._known.items() if known.served != served}
        if self._is_there(served):
            await self._engine.unload(served.lane)

    def _holds(self, known: _Known, mark: _Mark) -> bool:
        """Whether what is known of a file is true of it now. An engine that comes back may do so without a
        lane."""
        return known.mark == mark and (known.served is None or self._is_there(known.served))

    def _is_there(self, served: Served) -> bool:
        return any(lane.key == served.lane for lane in self._engine.lanes)

    async def _load(self, path: Path, mark: _Mark) -> Served:
        try:
            adapter = await asyncio.to_thread(digest, path)
        except EngineError as error:
            raise AdapterError(str(error)) from error
        served = Served(BARE, lane_key(adapter), adapter)
        same = next((lane for lane in self._engine.lanes if lane.key == served.lane), None)
        # The same content under another name is the same lane.
        async with self._beside():
            await self._engine.load(same or Lane(served.lane, path))
        if _mark(path) != mark:
            await self._drop(served)
            raise EngineError("the file is being written")
        return served


def _mark(path: Path) -> _Mark:
    try:
        status = path.stat()
    except OSError:
        return (-1, 0)
    return (status.st_size, status.st_mtime_ns)
