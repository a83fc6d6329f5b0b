"""Our engine, as the runtime uses it: `python -m benchmarks.peers.ours MODEL THREADS SLOTS [ADAPTER …]`.

With `isolated` for an adapter it runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from agent_runtime.engine.interface import Engine, Lane
from agent_runtime.engine.process import IsolatedEngine
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import EngineError
from benchmarks.figures import percentile
from benchmarks.peers import talks
from benchmarks.peers.process import serve

TICK = 0.001
_CONTEXT = 1024


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

    async def swap(self, count: int, tokens: int, number: int) -> dict[str, float]:
        """Load a version, warm it and send new talks there while others stream: the longest time in which
        nobody heard a word, and how many replies were lost or ended on another version than they began."""
        old = [asyncio.create_task(self._told("", tokens)) for _ in range(count)]
        await asyncio.sleep(0.05)
        await self._engine.load(Lane("next", self._adapters[number]))
        await self._engine.warm((talks.WARM,), "next")
        new = [asyncio.create_task(self._told("next", tokens)) for _ in range(count)]
        told = await asyncio.gather(*old, *new)
        await self._engine.unload("next")
        heard = [each for each in told if each is not None]
        every = sorted(at for each in heard for at in each.chunks)
        gaps = [later - earlier for earlier, later in itertools.pairwise(every)]
        wrong = sum(
            each.finish is None or each.finish.lane != lane or each.finish.completion_tokens != tokens
            for each, lane in zip(told, [""] * count + ["next"] * count, strict=True)
            if each is not None
        )
        return {"gap_ms": max(gaps) * 1000, "dropped": len(told) - len(heard) + wrong}

    async def _told(self, lane: str, tokens: int) -> talks.Talk | None:
        try:
            return await talks.talk(self._engine, tokens, line=talks.line(), lane=lane)
        except EngineError:
            return None

    async def delays(self, count: int, tokens: int) -> list[float]:
        """How late the event loop was, in milliseconds at every tick, while so many talks ran."""
        late: list[float] = []
        talking = asyncio.create_task(talks.together(self._engine, count, tokens))
        while not talking.done():
            due = time.perf_counter() + TICK
            await asyncio.sleep(TICK)
            late.append((time.perf_counter() - due) * 1000)
        await talking
        return [percentile(late, 0.5), percentile(late, 0.99), max(late)]

    async def memory(self, count: int, tokens: int) -> float:
        """Resident megabytes beyond the model's file once so many long talks were held."""
        await talks.together(self._engine, count, tokens)
        return (psutil.Process().memory_info().rss - self._model.stat().st_size) / 1e6

    async def many(self, requests: int, at_once: int) -> float:
        """Resident megabytes that so many short replies leave behind."""
        before = psutil.Process().memory_info().rss
        for _ in range(0, requests, at_once):
            await talks.together(self._engine, at_once, 2)
        return (psutil.Process().memory_info().rss - before) / 1e6


async def main(model: Path, threads: int, slots: int, adapters: list[Path]) -> None:
    kind: Callable[..., Engine] = LlamaEngine
    if adapters == [Path("isolated")]:
        kind, adapters = IsolatedEngine, []
    engine = kind(model, threads=threads, slots=slots, context=_CONTEXT)
    await engine.start()
    await engine.warm((talks.WARM,))
    ours = Ours(engine, model, adapters)
    names = ("cold", "cached", "arrivals", "newcomer", "decode", "load", "unload", "swap", "delays")
    await serve({name: getattr(ours, name) for name in (*names, "memory", "many")})
    await engine.close()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(Path(arguments[0]), int(arguments[1]), int(arguments[2]), list(map(Path, arguments[3:])))
    )
