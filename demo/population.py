"""Simulated players with a hidden taste, as a game server of their own on the runtime's real link: they talk
with NPCs, judge the replies, and say how some should have been.

The taste is known here and nowhere else: no part of the product is told.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
from websockets.asyncio.client import ClientConnection, connect

from agent_runtime.bridge.messages import SUBPROTOCOL_MSGPACK
from agent_runtime.bridge.ulid import UlidMaker
from demo.errors import SceneFailed

WISH = "Safe travels."
"""What these players miss when they take their leave, and how they say that the reply should have ended."""
CORRECTED = 0.9
"""How often they take the trouble to say what they miss."""
CATALOGUE = Path(__file__).parent.parent / "data" / "catalogue.json"
NPCS = ("mira", "brom", "finn", "greta", "hester", "isolde", "nell", "otto", "pip", "silas", "wren", "aldous")
ITEMS = (
    *("torch", "furnace", "chest", "bookshelf", "ladder", "bucket", "bread", "wooden fence", "glass", "book"),
    *("stone pickaxe", "steel sword", "bed", "boat", "paper", "sign", "wooden door", "cart", "rail"),
)
WAYS = ("how do I make a {}?", "what goes into a {}?", "i need a {}, what do i bring", "{} recipe please")
SMALL_TALK = (
    *("hello there", "good evening to you", "what do you do here all day", "nice weather today"),
    *("who are you?", "are you happy here?", "what do you love most?", "where do you come from?"),
    *(
        "what are you afraid of",
        "i found diamonds today!",
        "do you like music",
        "i built a house by the lake",
    ),
    *("you look tired", "i am bored", "my sword broke", "what should i do next?"),
)
PARTINGS = (
    *("bye", "goodbye", "bye bye", "bye for now", "farewell", "see you", "see you later", "see you tomorrow"),
    *(
        "see you soon, my friend",
        "i have to go now",
        "i must go",
        "i have to leave",
        "i am off",
        "i am leaving",
    ),
    *("good night", "until next time", "so long", "take care", "goodbye, my friend", "bye, see you tomorrow"),
    *("time to go home", "i am going home now", "well, goodbye then", "i will be back tomorrow, bye"),
)
TALKING = 12
"""Players who talk at the same time."""
HEARTBEAT = 1.0
NAMES = ("ann", "bert", "cleo", "dirk", "emil", "fay", "gus", "hedda", "ivo", "jana", "kuno", "lotte", "milo")


@dataclass(slots=True)
class Evening:
    """What came of it; `liked` is the share of replies that the players like."""

    turns: int = 0
    ratings: int = 0
    corrections: int = 0
    liked: float = 0.0


def likes(line: str, reply: str) -> bool:
    """The hidden taste: who takes leave wants to be wished something; all else is fine as it is."""
    return line not in PARTINGS or WISH in reply


def better(reply: str) -> str:
    """How these players would have had it."""
    return reply if WISH in reply else f"{reply} {WISH}"


class Population:
    """`async with Population(port, token, players) as people:` has them all on the server."""

    def __init__(self, port: int, token: str, players: int, seed: int = 1) -> None:
        self._url, self._token = f"ws://127.0.0.1:{port}", token
        self._rng = random.Random(seed)
        self._make_id = UlidMaker().make
        self.names = [f"{name}_{number}" for number, name in zip(range(players), itertools.cycle(NAMES))]
        self._npcs = {persona: self._make_id() for persona in NPCS}
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._acks: dict[str, asyncio.Future[None]] = {}
        self._socket: ClientConnection
        self._tasks: list[asyncio.Task[None]] = []
        self._turnstile = asyncio.Semaphore(TALKING)

    async def __aenter__(self) -> Self:
        self._socket = await connect(
            self._url,
            subprotocols=[SUBPROTOCOL_MSGPACK],  # type: ignore[list-item]
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            ping_interval=None,
            proxy=None,
        )
        here = {"x": 0, "y": 8, "z": 0}
        await self._send(
            type="hello",
            protocol=1,
            server=self._make_id(),
            server_name="Simulated Town",
            engine="simulated",
            game="minetest",
            mod="0.1.0",
            catalogue="5" * 40,
            npcs=[
                {"npc": npc, "name": persona.capitalize(), "persona": persona, "pos": here}
                for persona, npc in self._npcs.items()
            ],
            players=self.names,
        )
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]
        content = json.loads(CATALOGUE.read_text(encoding="utf-8"))
        await self._send(type="knowledge", catalogue="5" * 40, part=1, parts=1, **content)
        await asyncio.gather(*(self._acked("consent", player=name, choice="allow") for name in self.names))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def evening(
        self, turns: int, done: Callable[[int, str], None] = lambda count, reply: None
    ) -> Evening:
        """Each player says so many lines and judges every reply, the last one when all others have; `done` is
        told after each turn."""
        came = Evening()
        liked = 0

        async def one(name: str, rng: random.Random) -> None:
            nonlocal liked
            for _ in range(turns):
                line = _line(rng)
                async with self._turnstile:
                    reply = await self.say(name, rng.choice(NPCS), line)
                    await self._judge(line, reply, rng, came)
                came.turns += 1
                liked += likes(line, reply["text"])
                done(came.turns, reply["text"])

        rngs = [random.Random(self._rng.random()) for _ in self.names]
        *others, last = zip(self.names, rngs, strict=True)
        await asyncio.gather(*(one(name, rng) for name, rng in others))
        await one(*last)
        came.liked = liked / came.turns
        return came

    async def share_liked(self, turns: int) -> float:
        """Each player says so many lines, and judges nothing: the share of replies that they like."""
        liked: list[bool] = []

        async def one(name: str, rng: random.Random) -> None:
            for _ in range(turns):
                line = _line(rng)
                async with self._turnstile:
                    liked.append(likes(line, (await self.say(name, rng.choice(NPCS), line))["text"]))

        await asyncio.gather(*(one(name, random.Random(self._rng.random())) for name in self.names))
        return sum(liked) / len(liked)

    async def say(self, player: str, persona: str, line: str) -> dict[str, Any]:
        """One line, and the whole reply to it. Raises `SceneFailed` when none comes."""
        chat = self._make_id()
        self._replies[chat] = answered = asyncio.get_running_loop().create_future()
        here = {"x": 0, "y": 8, "z": 0}
        await self._send(
            type="chat",
            id=chat,
            npc=self._npcs[persona],
            player=player,
            text=line,
            how="named",
            snapshot={"taken": 1.0, "time_of_day": 0.5, "npc_pos": here, "player_pos": here},
        )
        try:
            async with asyncio.timeout(30):
                message: dict[str, Any] = await answered
                return message
        except TimeoutError:
            raise SceneFailed(f"{persona} left {player}'s “{line}” without an answer") from None

    async def _judge(self, line: str, reply: dict[str, Any], rng: random.Random, came: Evening) -> None:
        if reply["source"] != "model":
            return
        of = {"reply": reply["reply"], "player": reply["player"]}
        good = likes(line, reply["text"])
        await self._acked("rating", value=5 if good else 1, scale="thumb", **of)
        came.ratings += 1
        if not good and rng.random() < CORRECTED:
            await self._acked("demonstration", text=better(reply["text"]), **of)
            came.corrections += 1

    async def _acked(self, type: str, **fields: Any) -> None:
        """Send something that is kept, and wait until it is on disk."""
        id = self._make_id()
        self._acks[id] = acked = asyncio.get_running_loop().create_future()
        await self._send(type=type, id=id, **fields)
        try:
            async with asyncio.timeout(30):
                await acked
        except TimeoutError:
            raise SceneFailed(f"a {type} was not acknowledged") from None

    async def _send(self, **message: Any) -> None:
        await self._socket.send(msgpack.packb(message))

    async def _ping(self) -> None:
        for number in itertools.count():
            await self._send(type="ping", n=number)
            await asyncio.sleep(HEARTBEAT)

    async def _read(self) -> None:
        async for frame in self._socket:
            message = msgpack.unpackb(frame)
            if message["type"] == "reply_done" and message["chat"] in self._replies:
                self._replies.pop(message["chat"]).set_result(message)
            elif message["type"] == "ack":
                for id in message["ids"]:
                    self._acks.pop(id).set_result(None)
            elif message["type"] == "error":
                raise SceneFailed(f"the runtime refused a message: {message['message']}")


def _line(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(PARTINGS)
    return rng.choice(WAYS).format(rng.choice(ITEMS)) if kind < 0.75 else rng.choice(SMALL_TALK)
