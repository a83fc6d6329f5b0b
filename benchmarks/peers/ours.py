"""Our engine, as its caller sees it: `python -m benchmarks.peers.ours MODEL THREADS SLOTS [ADAPTER …]`.

With `isolated` for an adapter it runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agent_runtime.engine.interface import Engine, Lane
from agent_runtime.engine.process import IsolatedEngine
from agent_runtime.engine.service import LlamaEngine
from benchmarks.figures import percentile
from benchmarks.peers import memory, swap, talks
from benchmarks.peers.process import serve

_CONTEXT = 1024
_LOUD = 8.0
"""The scale at which a version's first words are its own already."""


class Ours:
    """The engine and what is measured on it. `adapters` are files for its lanes."""

    def __init__(self, engine: Engine, model: Path, adapters: list[Path]) -> None:
        self._engine, self._model, self._adapters = engine, model, adapters

    async def cold(self) -> float:
        return await talks.cold_ms(self._engine)

    async def cached(self) -> float:
        return await talks.cached_ms(self._engine)

    async def arrivals(self, count: int) -> list[float]:
        return await talks.arrivals_ms(self._engine, count)

    async def newcomer(self, count: int, tokens: int) -> float:
        return await talks.newcomer_ms(self._engine, count, tokens)

    async def decode(self, count: int, tokens: int, lane: str = "") -> float:
        return await talks.decode(self._engine, count, tokens, lane)

    async def load(self, key: str, number: int, merged: bool = False) -> float:
        """Milliseconds until a lane is ready."""
        began = time.perf_counter()
        await self._engine.load(Lane(key, self._adapters[number], merged=merged))
        return (time.perf_counter() - began) * 1000

    async def unload(self, key: str) -> None:
        await self._engine.unload(key)

    async def swap(self, count: int, tokens: int, number: int, old: str = "") -> dict[str, float]:
        """A version taken up while so many talks of the lane `old` stream; see `swap.Swap`."""
        lane = Lane("next", self._adapters[number], scale=_LOUD)
        return await swap.Swap(self._engine, old, lane, count, tokens).measure()

    async def delays(self, count: int, tokens: int) -> list[float]:
        """How late the event loop was while so many talks ran: median, p99 and most, in milliseconds."""
        late = await swap.lateness_ms(talks.together(self._engine, count, tokens))
        return [percentile(late, 0.5), percentile(late, 0.99), max(late)]

    async def resident(self) -> float:
        """Resident megabytes."""
        return memory.resident_mb()

    async def hold(self, count: int, tokens: int) -> list[float]:
        """Resident megabytes beyond the model's file with so many long talks, and how many were held."""
        mb, held = await memory.hold(self._engine, count, tokens)
        return [mb - self._model.stat().st_size / 1e6, held]

    async def many(self, requests: int, at_once: int) -> float:
        """Resident megabytes that so many short turns leave behind."""
        return await memory.growth_mb(self._engine, requests, at_once)


async def main(model: Path, threads: int, slots: int, adapters: list[Path]) -> None:
    kind: Callable[..., Engine] = LlamaEngine
    if adapters == [Path("isolated")]:
        kind, adapters = IsolatedEngine, []
    engine = kind(model, threads=threads, slots=slots, context=_CONTEXT)
    await engine.start()
    await engine.warm((talks.WARM,))
    ours = Ours(engine, model, adapters)
    names = ("cold", "cached", "arrivals", "newcomer", "decode", "load", "unload", "swap", "delays")
    await serve({name: getattr(ours, name) for name in (*names, "resident", "hold", "many")})
    await engine.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(Path(arguments[0]), int(arguments[1]), int(arguments[2]), list(map(Path, arguments[3:])))
    )
