"""How long a promotion and a rollback take on the real runtime while players talk, and how many replies they
cost: from the start of the command `townsfolk` to the first words of the version that it names.

The adapters are random and weak: swapping does not depend on what was learned.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent_runtime.engine.modelfile import digest
from agent_runtime.models import embedded_model
from agent_runtime.registry.store import Registry
from benchmarks.figures import Figure, machine, percentile, show
from demo.runtime import Runtime
from tests.support.adapters import random_adapter
from tests.support.game import Game, chat, hello
from tests.support.versions import added

PLAYERS = 6
ROUNDS = 10
PAUSE_S = 0.5
"""Between a reply and the player's next line."""
BETWEEN_S = 3.0


@dataclass
class Talk:
    """What players saw: lines said, and for each reply its first words' time (monotonic) and its source."""

    lines: int = 0
    words: dict[str, float] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


async def _beat(game: Game) -> None:
    while True:
        await game.send({"type": "ping", "n": 0})
        await asyncio.sleep(1)


async def _talk(runtime: Runtime, number: int, talk: Talk, over: asyncio.Event) -> None:
    player = f"player{number}"
    greeting = hello(players=[player], server=f"01J0000000000000000000SRV{number}")
    async with Game(runtime.port, token=runtime.token, greeting=greeting) as game:
        beating = asyncio.create_task(_beat(game))
        while not over.is_set():
            talk.lines += 1
            await game.send(chat("hello Mira, what is new", player=player))
            while (message := await game.receive())["type"] != "reply_done":
                if message["type"] == "reply_delta":
                    talk.words.setdefault(message["reply"], time.monotonic())
            talk.sources[message["reply"]] = message["source"]
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), PAUSE_S)
        beating.cancel()


@asynccontextmanager
async def _players(runtime: Runtime) -> AsyncIterator[Talk]:
    talk, over = Talk(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(PLAYERS):
            tasks.create_task(_talk(runtime, number, talk, over))
        yield talk
        over.set()


async def measure() -> list[Figure]:
    """Play `ROUNDS` promotions and rollbacks."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        base = embedded_model(home)
        registry = Registry(home / "registry")
        for seed in (1, 2):
            adapter = random_adapter(Path(folder) / f"{seed}.gguf", base, seed=seed, strength=0.02)
            added(registry, adapter, base=digest(base))
        settings = {"TOWNSFOLK_TURN__PER_PLAYER_PER_10S": "100", "TOWNSFOLK_REGISTRY__GUARD_TURNS": "0"}
        async with Runtime(home, settings=settings) as runtime:
            await runtime.run("promote", "1")
            given: list[tuple[float, int]] = []
            async with _players(runtime) as talk:
                for _ in range(ROUNDS):
                    for command, version in (("promote 2", 2), ("rollback", 1)):
                        await asyncio.sleep(BETWEEN_S)
                        given.append((time.monotonic(), version))
                        await runtime.run(*command.split())
                    await runtime.run("versions", "unban", "2")
                await asyncio.sleep(BETWEEN_S)
            rows = await runtime.run("journal", "turns", "--json", "--limit", "10000")
        versions = {row["id"]: row["version"] for row in map(json.loads, rows.splitlines())}
    took = {1: [], 2: []}  # type: dict[int, list[float]]
    for began, version in given:
        later = (at - began for reply, at in talk.words.items() if at > began and versions[reply] == version)
        took[version].append(min(later) * 1000)
    answered = list(talk.sources.values()).count("model")
    return [
        Figure("promotion_ms", percentile(took[2], 0.5), "ms", ROUNDS),
        Figure("rollback_ms", percentile(took[1], 0.5), "ms", ROUNDS, "<=1000"),
        Figure("rollback_worst_ms", max(took[1]), "ms", ROUNDS),
        Figure("swap_dropped", talk.lines - answered, "replies", talk.lines, "<=0"),
    ]


if __name__ == "__main__":
    before = machine()
    show("swaps", asyncio.run(measure()), before)
