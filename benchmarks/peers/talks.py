"""Talks with an engine as an asyncio caller sees them: an engine comes in, rates and times go out."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import aclosing
from dataclasses import dataclass, field

from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Finish, Request
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

LINE = "How do I make a torch, and where is the river from here?"
"""About 20 tokens with the number before it."""
SECONDS = 300.0
_LORE = "You know the river, the mill and the roads of the valley, and what the people trade there. "
_numbers = itertools.count(1000)


def persona(name: str) -> Message:
    """A persona's prompt of about 280 tokens."""
    return Message("system", f"You are {name}, the miller. Voice: kind.\n{_LORE * 12}")


WARM = persona("Mira")


def line() -> str:
    """A line that begins unlike all others: a cache of beginnings knows only the persona."""
    return f"{next(_numbers)}: {LINE}"


@dataclass(slots=True)
class Talk:
    """When each chunk of one reply came, and how it ended; seconds of `time.perf_counter`."""

    began: float
    chunks: list[float] = field(default_factory=list)
    finish: Finish | None = None
    text: str = ""

    @property
    def first_ms(self) -> float:
        return (self.chunks[0] - self.began) * 1000


async def talk(
    engine: Engine,
    tokens: int,
    who: Message = WARM,
    line: str = LINE,
    lane: str = BASE_LANE,
    *,
    history: tuple[Message, ...] = (),
    key: str = "",
    temperature: float = Sampling().temperature,
) -> Talk:
    """One reply of so many tokens; with a `key` the engine may keep the talk's cells for its next turn.
    Raises `EngineError`."""
    sampling = Sampling(max_tokens=tokens, seed=next(_numbers), temperature=temperature)
    messages = (who, *history, Message("user", line))
    request = Request(messages, sampling, time.monotonic() + SECONDS, lane=lane, talk=key)
    told = Talk(time.perf_counter())
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            if isinstance(event, Chunk):
                told.chunks.append(time.perf_counter())
                told.text += event.text
            else:
                told.finish = event
    return told


async def together(engine: Engine, talks: int, tokens: int, lane: str = BASE_LANE) -> list[Talk]:
    """So many replies at once, each to a line of its own."""
    lines = [line() for _ in range(talks)]
    return await asyncio.gather(*(talk(engine, tokens, line=each, lane=lane) for each in lines))


async def long_line(engine: Engine, tokens: int) -> str:
    """A line that makes the whole prompt about so many tokens long, and no longer."""

    async def prompt(said: str) -> int:
        finish = (await talk(engine, 1, line=said)).finish
        assert finish
        return finish.prompt_tokens

    short = await prompt(line())
    each = (await prompt(_LORE * 10 + line()) - short) / 10
    return _LORE * int((tokens - short) / each - 1)


async def cold_ms(engine: Engine) -> float:
    """First token for a persona that nobody met before."""
    return (await talk(engine, 1, persona(f"Stranger {next(_numbers)}"))).first_ms


async def cached_ms(engine: Engine) -> float:
    """First token for a line that is new to a persona that is warm."""
    return (await talk(engine, 1, line=line())).first_ms


async def arrivals_ms(engine: Engine, talks: int) -> list[float]:
    """First tokens of so many players who come at the same moment."""
    return [told.first_ms for told in await together(engine, talks, 8)]


async def newcomer_ms(engine: Engine, talks: int, tokens: int) -> float:
    """First token of one who comes while others are in the middle of their replies."""
    talking = asyncio.gather(*(talk(engine, tokens, line=line()) for _ in range(talks)))
    await asyncio.sleep(0)
    await talk(engine, 4)  # by now all others speak
    first = await cached_ms(engine)
    await talking
    return first


def rate(talks: list[Talk]) -> float:
    """Tokens a second of all together, while all of them spoke; from the first word of all to the last where
    they never did. A token may bring no whole character, so the chunks of that stretch are counted and taken
    for their share of the tokens."""
    since = max(told.chunks[0] for told in talks)
    until = min(told.chunks[-1] for told in talks)
    if until <= since:
        since = min(told.chunks[0] for told in talks)
        until = max(told.chunks[-1] for told in talks)
    tokens = 0.0
    for told in talks:
        assert told.finish
        spoken = sum(since < at <= until for at in told.chunks)
        tokens += spoken * told.finish.completion_tokens / len(told.chunks)
    return tokens / (until - since)


async def decode(engine: Engine, talks: int, tokens: int, lane: str = BASE_LANE) -> float:
    """Tokens a second of so many talks at once."""
    return rate(await together(engine, talks, tokens, lane))
