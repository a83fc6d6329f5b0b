"""Any OpenAI-compatible server, asked by our own client: `python -m benchmarks.peers.server URL SLOTS`."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import Any

from agent_runtime.engine.openai import OpenAIEngine
from benchmarks.peers import talks
from benchmarks.peers.process import serve


async def main(url: str, slots: int) -> None:
    engine = OpenAIEngine(url, slots=slots)
    await engine.start()
    await engine.warm((talks.WARM,))
    measures: dict[str, Callable[..., Any]] = {
        "cold": talks.cold_ms,
        "cached": talks.cached_ms,
        "arrivals": lambda engine, count: talks.arrivals_ms(engine, count),
        "newcomer": lambda engine, count, tokens: talks.newcomer_ms(engine, count, tokens),
        "decode": lambda engine, count, tokens: talks.decode(engine, count, tokens),
    }
    await serve({name: functools.partial(measure, engine) for name, measure in measures.items()})
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
