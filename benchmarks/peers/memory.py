"""What talks leave in memory: an engine comes in, resident megabytes go out."""

from __future__ import annotations

import asyncio

import psutil

from agent_runtime.engine.interface import Engine
from agent_runtime.npc.prompt import Message
from benchmarks.peers import talks

_REPLY = 16
_NEXT = 160
"""Tokens left for the second turn of a talk: a line of about 25, its reply, and the first reply read again,
which has more tokens than were drawn for it where a model of random weights says noise."""
_KEYS = 200


def resident_mb() -> float:
    """What this process has in memory."""
    return float(psutil.Process().memory_info().rss) / 1e6


async def hold(engine: Engine, count: int, tokens: int) -> tuple[float, int]:
    """Resident megabytes once so many talks of so many tokens each had two turns, and how many of them the
    engine still held at the second: their cells, but for the new line, came from where it keeps them."""
    said = await talks.long_line(engine, tokens - _NEXT)

    async def first(number: int) -> talks.Talk:
        return await talks.talk(engine, _REPLY, line=f"{number}: {said}", key=f"hold {number}")

    async def second(number: int, before: talks.Talk) -> bool:
        history = (Message("user", f"{number}: {said}"), Message("assistant", before.text))
        told = await talks.talk(engine, _REPLY, line=talks.line(), history=history, key=f"hold {number}")
        assert told.finish
        assert before.finish
        return told.finish.cached_tokens >= before.finish.prompt_tokens - 1

    began = await asyncio.gather(*map(first, range(count)))
    held = await asyncio.gather(*(second(number, before) for number, before in enumerate(began)))
    return resident_mb(), sum(held)


async def growth_mb(engine: Engine, requests: int, at_once: int) -> float:
    """Resident megabytes that so many short turns of 200 talks leave behind, beyond the tenth before them,
    in which the engine fills what it keeps on purpose."""

    async def turns(numbers: range) -> None:
        for start in range(numbers.start, numbers.stop, at_once):
            keys = [f"short {(start + number) % _KEYS}" for number in range(at_once)]
            await asyncio.gather(*(talks.talk(engine, 2, line=talks.line(), key=key) for key in keys))

    await turns(range(requests // 10))
    before = resident_mb()
    await turns(range(requests))
    return resident_mb() - before
