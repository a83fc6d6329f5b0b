"""A new adapter beside the bare base, each in a real engine of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent_runtime.engine.interface import BASE_LANE, Lane
from learner.evaluate.answers import Voice, Voices, engines


@asynccontextmanager
async def beside_base(model: Path, adapter: Path, scale: float = 1.0) -> AsyncIterator[Voices]:
    """The base as champion, the adapter at this scale as challenger; the engines end with the context."""
    async with engines(model) as started:
        await started["challenger"].load(Lane("new", adapter, scale))
        yield {
            "champion": Voice(started["champion"], BASE_LANE),
            "challenger": Voice(started["challenger"], "new"),
        }
