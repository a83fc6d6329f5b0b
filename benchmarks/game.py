"""What players feel, on a real Luanti server: the time from a player's chat packet to the first words of the
reply at that player's client; and what the mod costs the server per step.

`python -m benchmarks.game` prints the figures and writes results/game.json. The engine's own answer to a
chat command (`/status`) is measured beside them: it is what any reply in this game costs at least.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks import journal, turns
from benchmarks.figures import Figure, machine, percentile, report
from demo.engine import machine_engine
from demo.player import Player
from demo.runtime import Runtime
from demo.server import Server

ROOT = Path(__file__).parent.parent
NAMES = (
    "Ada", "Bela", "Cara", "Dora", "Edda", "Fara", "Gerd", "Hulda", "Ilsa", "Jara",
    "Kuno", "Lena", "Mona", "Nils", "Olga", "Piet", "Rosa", "Sten", "Tilda", "Ulla",
)  # fmt: skip
LINES = (
    "hello",
    "how do I make a torch?",
    "what time is it?",
    "who are you?",
    "how do I craft a stone pickaxe?",
    "what am I holding?",
)
SPACING = 40
"""Nodes between two NPCs, so that nobody hears another's talk."""
STEP_MS = 90.0
SETTLE_SECONDS = 5.0
STEPS_SECONDS = 45
ALONE = 40
TOGETHER_SECONDS = 40
PAUSE = (1.5, 2.5)

console = Console()


async def measure() -> list[Figure]:
    """All figures of the game. Raises what the demo raises when server or runtime do not start."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        console.print("a runtime at rest …")
        figures = await _runtime_at_rest(folder)
        limits = {"TOWNSFOLK_TURN__PER_PLAYER_PER_10S": "100", "TOWNSFOLK_LOG__LEVEL": "info"}
        runtime = await stack.enter_async_context(Runtime(folder / "home", settings=limits))
        server = await stack.enter_async_context(_server(runtime))
        console.print("joining 20 players …")
        players = [await Player.join(server.host, server.port, f"player{n}", "pw") for n in range(20)]
        for player in players:
            stack.push_async_callback(player.leave)
        await asyncio.sleep(SETTLE_SECONDS)
        await _settle(players)
        console.print("the mod's work per step …")
        figures += await _steps(server, players[0])
        console.print("one player …")
        figures += await _alone(players[0])
        console.print("twenty players …")
        figures += await _together(players)
    return figures


def _server(runtime: Runtime) -> Server:
    return Server(
        machine_engine(),
        runtime=runtime,
        mods={"townsfolk_bench": ROOT / "benchmarks" / "mods" / "townsfolk_bench"},
        settings={
            "townsfolk.stats_file": "true",
            "default_privs": "interact, shout, teleport, npc_admin",
        },
    )


async def _settle(players: Sequence[Player]) -> None:
    """Each player beside an NPC of their own, out of the others' hearing."""
    for number, player in enumerate(players):
        await _command(player, f"/teleport {number * SPACING},9,0", "Teleporting")
        await asyncio.sleep(0.5)
        await _command(player, f"/npc spawn mira {NAMES[number]}", NAMES[number])
    await asyncio.sleep(SETTLE_SECONDS)


async def _command(player: Player, line: str, expected: str) -> float:
    """Give a command; milliseconds until the engine's answer."""
    since = len(player.chat)
    at = await player.say(line)
    return ((await player.hear(expected, since=since)).at - at) * 1000


async def _first_words(player: Player, npc: str, line: str) -> float:
    """Milliseconds from the line's packet to the first words of the NPC at this client."""
    since = len(player.chat)
    at = await player.say(f"{npc}, {line}")
    answer = await player.hear(lambda heard: heard.text.startswith(f"<{npc}> "), since=since, within=15)
    return (answer.at - at) * 1000


async def _alone(player: Player) -> list[Figure]:
    floor, words = [], []
    for number in range(ALONE):
        words.append(await _first_words(player, NAMES[0], LINES[number % len(LINES)]))
        await asyncio.sleep(1.3)  # the engine lets a player say eight lines in ten seconds
        if number % 2:
            floor.append(await _command(player, "/status", "# Server"))
            await asyncio.sleep(1.3)
    return [
        Figure("engine_command_p50_ms", percentile(floor, 0.5), "ms", len(floor)),
        Figure("first_words_p50_ms_1_player", percentile(words, 0.5), "ms", len(words), "<=110"),
        Figure("first_words_p95_ms_1_player", percentile(words, 0.95), "ms", len(words)),
    ]


async def _together(players: Sequence[Player]) -> list[Figure]:
    async def talk(number: int) -> list[float]:
        rng = random.Random(number)
        ends = asyncio.get_running_loop().time() + TOGETHER_SECONDS
        heard = []
        await asyncio.sleep(rng.uniform(0, PAUSE[1]))
        while asyncio.get_running_loop().time() < ends:
            heard.append(await _first_words(players[number], NAMES[number], rng.choice(LINES)))
            await asyncio.sleep(rng.uniform(*PAUSE))
        return heard

    talks = await asyncio.gather(*(talk(number) for number in range(len(players))))
    words = [heard for talk_words in talks for heard in talk_words]
    return [
        Figure("first_words_p50_ms_20_players", percentile(words, 0.5), "ms", len(words)),
        Figure("first_words_p95_ms_20_players", percentile(words, 0.95), "ms", len(words), "<=270"),
        Figure(
            "first_words_p95_steps_20_players", percentile(words, 0.95) / STEP_MS, "steps", len(words), "<=3"
        ),
    ]


async def _runtime_at_rest(folder: Path) -> list[Figure]:
    """How soon a runtime is ready, and what it takes while nobody talks."""
    ready, home = [], folder / "rest"
    for _ in range(5):
        runtime = Runtime(home)
        began = time.perf_counter()
        await runtime.start()
        ready.append(time.perf_counter() - began)
        await asyncio.sleep(SETTLE_SECONDS)
        process = psutil.Process(runtime.process.pid)
        before = process.cpu_times()
        await asyncio.sleep(SETTLE_SECONDS)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        resident = process.memory_info().rss / 1e6
        await runtime.stop()
    return [
        Figure("ready_s", percentile(ready, 0.5), "s", len(ready), "<=3"),
        Figure("resident_mb", resident, "MB", 1, "<=250"),
        Figure("idle_cpu_percent", max(0.0, 100 * used / SETTLE_SECONDS), "%", 1, "<=1"),
    ]


async def _steps(server: Server, player: Player) -> list[Figure]:
    figures = []
    for name, start in (("idle", ""), ("200_events", f"/bench events 200 {STEPS_SECONDS}")):
        if start:
            await _command(player, start, "bench: events")
        await _command(player, "/bench reset", "bench: reset")
        await asyncio.sleep(STEPS_SECONDS)
        stats = json.loads((server.world / "townsfolk_stats.json").read_text())
        figures += [
            Figure(f"mod_step_p50_ms_{name}", stats["p50_ms"], "ms", stats["window"]),
            Figure(f"mod_step_p99_ms_{name}", stats["p99_ms"], "ms", stats["window"], "<=2"),
            Figure(f"mod_step_max_ms_{name}", stats["max_ms"], "ms", stats["window"], "<=5"),
        ]
    return figures


async def main() -> None:
    before = machine()
    figures = await measure()
    console.print("turns and rows a second …")
    figures += await turns.measure() + await journal.measure()
    path = report("game", "make bench-game", figures, before)
    console.print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    asyncio.run(main())
