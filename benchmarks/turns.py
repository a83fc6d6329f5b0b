"""How many turns a second the bridge, the turn and the journal carry with an engine that costs nothing,
beside a bare `websockets` echo of as many messages in the same run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from agent_runtime.journal.views import Filter
from benchmarks.figures import Figure
from tests.support.engine import ScriptedEngine
from tests.support.game import Game, chat, hello
from tests.support.runtime import town

TALKS = 20
LINES = 100
ECHOES = 4000


async def turns_per_second() -> float:
    """Turns from the line on the socket to the reply's end there, 20 players talking at once; all of
    them in the journal at the end."""
    players = [f"player{number}" for number in range(TALKS)]
    engine = ScriptedEngine(["Good day to you."], queue=1000)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            town(Path(folder), engine, per_player_per_10s=100, npc_talks=64, npc_queue=64) as running,
            Game(running.port, greeting=hello(players=players)) as game,
        ):
            began = time.perf_counter()
            for player in players:
                await game.send(chat(player=player))
            left = dict.fromkeys(players, LINES - 1)
            done = 0
            while done < TALKS * LINES:
                message = await game.receive()
                if message["type"] != "reply_done":
                    continue
                if message["source"] != "model":
                    raise RuntimeError(f"a turn failed: {message}")
                done += 1
                if left[message["player"]]:
                    left[message["player"]] -= 1
                    await game.send(chat(player=message["player"]))
            elapsed = time.perf_counter() - began
            written = 0
            while written < done:
                await asyncio.sleep(0.05)
                written = len(await running.queries.turns(Filter(limit=10_000)))
    return done / elapsed


async def echoes_per_second() -> float:
    """What the socket library alone does, with messages of a chat's size and as many under way."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    payload = b"x" * 700
    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as client:
            began = time.perf_counter()
            for _ in range(TALKS):
                await client.send(payload)
            for number in range(ECHOES):
                await client.recv()
                if number < ECHOES - TALKS:
                    await client.send(payload)
            return ECHOES / (time.perf_counter() - began)


async def measure() -> list[Figure]:
    turns = await turns_per_second()
    echoes = await echoes_per_second()
    return [
        Figure("turns_per_s_fake_engine", turns, "1/s", TALKS * LINES),
        Figure("echoes_per_s_websockets", echoes, "1/s", ECHOES),
    ]
