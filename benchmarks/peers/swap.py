"""A version taken up while others stream, as the runtime does it: an engine comes in, pauses and faults go
out."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from agent_runtime.engine.interface import Engine, Lane
from agent_runtime.errors import EngineError
from benchmarks.figures import percentile
from benchmarks.peers import talks

TICK = 0.001
_NEXT = "next"
_JUDGED = 8
_COMPARED = 8
"""So many replies are made once more, alone, and so many of their tokens."""

Told = tuple[str, str, talks.Talk | None]
"""One reply: the lane that was asked, the line, and what came."""


async def lateness_ms(work: Awaitable[object]) -> list[float]:
    """How late the event loop was at every tick, in milliseconds, while that work went on."""
    late: list[float] = []
    working = asyncio.ensure_future(work)
    while not working.done():
        due = time.perf_counter() + TICK
        await asyncio.sleep(TICK)
        late.append((time.perf_counter() - due) * 1000)
    await working
    return late


class Swap:
    """While `count` talks of the lane `old` stream, `lane` is loaded, merged as a champion is, warmed, and
    asked by as many others; then the old champion is merged no longer. Replies are greedy, so that their
    words tell who made them."""

    def __init__(self, engine: Engine, old: str, lane: Lane, count: int, tokens: int) -> None:
        self._engine, self._old, self._lane = engine, old, replace(lane, key=_NEXT, merged=True)
        self._count, self._tokens = count, tokens

    async def measure(self) -> dict[str, float]:
        """`gap_ms` is the longest time in which nobody heard a word, `quiet_ms` the same for such a crowd
        once there is nothing left to load; `dropped` counts replies that were lost, cut short, or made by
        another version than was asked; `late_p99_ms` and `late_max_ms` are the event loop's."""
        champion = self._champion
        told: list[Told] = []
        late = await lateness_ms(self._crowd(self._take_up, told))
        quiet: list[Told] = []
        await self._crowd(self._nothing, quiet)
        # Replies are compared with what their lanes say as these were when they began.
        await self._engine.load(champion)
        wrong = await self._wrong(told)
        await self._engine.unload(_NEXT)
        return {
            "gap_ms": _gap_ms(told),
            "quiet_ms": _gap_ms(quiet),
            "dropped": wrong,
            "late_p99_ms": percentile(late, 0.99),
            "late_max_ms": max(late),
        }

    async def _crowd(self, change: Callable[[], Awaitable[list[Told]]], told: list[Told]) -> None:
        old = [asyncio.create_task(self._ask(self._old)) for _ in range(self._count)]
        await asyncio.sleep(0.05)
        told += await change()
        told += await asyncio.gather(*old)

    async def _take_up(self) -> list[Told]:
        await self._engine.load(self._lane)
        await self._engine.warm((talks.WARM,), _NEXT)
        new = [asyncio.create_task(self._ask(_NEXT)) for _ in range(self._count)]
        await self._engine.load(replace(self._champion, merged=False))
        return await asyncio.gather(*new)

    async def _nothing(self) -> list[Told]:
        return await asyncio.gather(*(self._ask(_NEXT) for _ in range(self._count)))

    async def _ask(self, lane: str) -> Told:
        line = talks.line()
        try:
            told = await talks.talk(self._engine, self._tokens, line=line, lane=lane, temperature=0)
        except EngineError:
            return lane, line, None
        return lane, line, told

    @property
    def _champion(self) -> Lane:
        return next(lane for lane in self._engine.lanes if lane.key == self._old)

    async def _wrong(self, told: list[Told]) -> int:
        """Replies that are missing or short, and among some of them those of a version that was not asked."""
        whole = [
            (lane, line, one.text)
            for lane, line, one in told
            if one and one.finish and (one.finish.lane, one.finish.completion_tokens) == (lane, self._tokens)
        ]
        strange = 0
        for lane, line, text in whole[:: max(1, len(whole) // _JUDGED)]:
            # Beside others a close draw may fall the other way, so the words need not be the same to the end.
            own = _alike(text, await self._alone(line, lane))
            strange += own < _alike(text, await self._alone(line, self._old if lane == _NEXT else _NEXT))
        return len(told) - len(whole) + strange

    async def _alone(self, line: str, lane: str) -> str:
        told = await talks.talk(self._engine, _COMPARED, line=line, lane=lane, temperature=0)
        return told.text


def _alike(one: str, other: str) -> int:
    """How many letters two texts have in common before they part."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _gap_ms(told: list[Told]) -> float:
    every = sorted(at for _, _, one in told if one for at in one.chunks)
    return max(later - earlier for earlier, later in itertools.pairwise(every)) * 1000
