"""The champion's lane comes in; it answers from a merged copy, which is faster, and then nobody else does,
which saves memory.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from agent_runtime.engine.interface import BASE_LANE, Engine
from agent_runtime.errors import EngineError
from agent_runtime.serving.prefixes import Prefixes

log = structlog.get_logger(__name__)


async def merge(engine: Engine, prefixes: Prefixes, best: str) -> None:
    """Merge the lane `best` and no other. What cannot be merged serves as it is."""
    for lane in sorted(engine.lanes, key=lambda lane: lane.key != best):
        champion = lane.key == best
        if lane.key == BASE_LANE or lane.merged == champion:
            continue
        try:
            await engine.load(replace(lane, merged=champion))
            if champion:
                # Its copy has read nothing yet.
                await prefixes.warm(lane.key)
        except EngineError as error:
            log.warning("version_not_merged", lane=lane.key, why=str(error))
