"""The shared beginnings of prompts: each is kept as it comes, and read by whatever lane is to be warm.

The latest ones only: a server has few personas, and what is read takes room in the engine.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from agent_runtime.engine.interface import Engine
from agent_runtime.errors import EngineError
from agent_runtime.npc.prompt import Message

MOST = 64

log = structlog.get_logger(__name__)


class Prefixes:
    """Those of all personas that serve, for the lanes of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: dict[tuple[Message, ...], None] = {}

    def keep(self, messages: tuple[Message, ...]) -> None:
        """Remember one; the oldest goes when there are too many."""
        self._kept.pop(messages, None)
        self._kept[messages] = None
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]

    async def warm(self, lane: str) -> None:
        """Let a lane read them all, the latest first. Raises `EngineError`."""
        for messages in list(reversed(self._kept)):
            await self._engine.warm(messages, lane)

    async def warm_again(self, lanes: Iterable[str]) -> None:
        """Let lanes read all that another process of the engine had read. Never raises for the engine."""
        for lane in list(lanes):
            try:
                await self.warm(lane)
            except EngineError as error:
                log.warning("lane_not_warmed", lane=lane, why=str(error))
