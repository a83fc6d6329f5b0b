"""llama-cpp-python's own `Llama` as its users call it: `python -m benchmarks.peers.high_level MODEL THREADS`.

It serves one talk after the other; its prefix cache is the longest common beginning with the last prompt.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time

from llama_cpp import Llama

from agent_runtime.npc.persona import Sampling
from benchmarks.peers.process import serve
from benchmarks.peers.talks import LINE, WARM, line, persona

_CONTEXT = 1024
_numbers = itertools.count(1)


class HighLevel:
    def __init__(self, model: str, threads: int) -> None:
        self._llama = Llama(
            model, n_ctx=_CONTEXT, n_threads=threads, n_threads_batch=threads, n_batch=512, verbose=False
        )
        self._talk(WARM.content, LINE, 1)

    async def cold(self) -> float:
        first, _ = self._talk(persona(f"Stranger {next(_numbers)}").content, LINE, 1)
        self._talk(WARM.content, LINE, 1)
        return first * 1000

    async def cached(self) -> float:
        first, _ = self._talk(WARM.content, line(), 1)
        return first * 1000

    async def decode(self, count: int, tokens: int) -> float:
        """Tokens a second of talks that follow one another; the reading of their prompts is not counted."""
        times = [self._talk(WARM.content, line(), tokens) for _ in range(count)]
        return count * (tokens - 1) / sum(whole - first for first, whole in times)

    async def arrivals(self, count: int) -> list[float]:
        """The one who comes last waits for all others."""
        began, firsts = time.perf_counter(), []
        for _ in range(count):
            waited = time.perf_counter() - began
            first, _ = self._talk(WARM.content, line(), 8)
            firsts.append((waited + first) * 1000)
        return firsts

    def _talk(self, system: str, said: str, tokens: int) -> tuple[float, float]:
        """Seconds until the first and until the last token."""
        sampling = Sampling()
        began, first = time.perf_counter(), 0.0
        stream = self._llama.create_chat_completion(
            [{"role": "system", "content": system}, {"role": "user", "content": said}],
            max_tokens=tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            top_k=0,
            repeat_penalty=sampling.repeat_penalty,
            stream=True,
        )
        for part in stream:
            assert not isinstance(part, str)
            if not first and part["choices"][0]["delta"].get("content") is not None:
                first = time.perf_counter() - began
        return first, time.perf_counter() - began


async def main(model: str, threads: int) -> None:
    peer = HighLevel(model, threads)
    await serve({name: getattr(peer, name) for name in ("cold", "cached", "decode", "arrivals")})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
