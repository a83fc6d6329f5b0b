"""A headless player: it does what a person at a keyboard does, and waits for what a person would see."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from demo.errors import NotSeen
from demo.player.objects import Entity
from demo.player.packets import Interaction, ToServer, Vector, Writer
from demo.player.session import Chat, Session

WALK = 3.9
"""Nodes per second: just under the engine's walking speed of 4, beyond which its anticheat steps in."""
EYES = 1.625
"""Height of a player's eyes over the feet, in nodes."""
HAND = 0
"""The hotbar's slot that is in hand, for good."""


class Player(Session):
    """A player in the game, made by `join`; what it knows is in the attributes of `Session`."""

    # Coming and going

    @classmethod
    async def join(
        cls, host: str, port: int, name: str, password: str = "", *, within: float = 30.0
    ) -> Player:
        """Joins, and registers the name if it is new. Returns when the player stands in the world.

        Raises AccessDenied, ConnectionLost, or NotSeen after `within` seconds."""
        player = cls(name, password)
        try:
            await player.open(host, port, within)
        except BaseException:
            await player.leave()
            raise
        return player

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    # What a person does

    async def say(self, text: str) -> float:
        """Says a line, or gives a command; returns the moment it was sent."""
        at = time.perf_counter()
        self.send(ToServer.CHAT_MESSAGE, Writer().wide_string(text))
        return at

    async def move_to(self, x: float, y: float, z: float, *, speed: float = WALK) -> None:
        """Walks there in a straight line, facing where it goes. The server has the last word on where we
        are: raises NotSeen when it keeps putting us back."""
        goal = Vector(x, y, z)
        self._face(goal, level=True)
        last = time.perf_counter()
        deadline = last + 5 + 2 * self.pos.distance(goal) / speed
        while self.pos.distance(goal) > 0.01:
            await asyncio.sleep(0.1)
            now = time.perf_counter()
            if now > deadline:
                raise NotSeen(f"{self.name} could not get to {goal}: still at {self.pos}")
            before = self.pos
            self.pos = before.towards(goal, speed * (now - last))
            self.send_position(tuple((b - a) / (now - last) for a, b in zip(before, self.pos, strict=True)))
            last = now
        self.send_position()

    def look_at(self, x: float, y: float, z: float) -> None:
        """Turns the eyes to a point."""
        self._face(Vector(x, y, z))
        self.send_position()

    def right_click(self, entity: Entity | int) -> None:
        """Right-clicks an object in reach."""
        self._interact(Interaction.PLACE, _object(entity))

    async def dig(self, node: tuple[int, int, int], *, seconds: float) -> None:
        """Digs the node at a position, taking as long as it takes: the server checks the time."""
        self._interact(Interaction.START_DIGGING, _node(node))
        await asyncio.sleep(seconds)
        self._interact(Interaction.DIGGING_COMPLETED, _node(node))

    def place(self, on: tuple[int, int, int], at: tuple[int, int, int]) -> None:
        """Places the wielded item at the position `at`, pointing at the node `on`."""
        self._interact(Interaction.PLACE, _node(on, at))

    def fields(self, form: str, values: dict[str, str]) -> None:
        """Submits the fields of a form."""
        body = Writer().string(form).pack(">H", len(values))
        for key, value in values.items():
            body.string(key).long_string(value)
        self.send(ToServer.INVENTORY_FIELDS, body)

    # What a person waits for

    async def hear(
        self, match: str | Callable[[Chat], object], *, within: float = 10.0, since: int | None = None
    ) -> Chat:
        """The first line of the chat that contains the text, or for which the function is true.

        Looks from line number `since` on (`len(player.chat)` at some moment); by default only at lines
        that come from now on."""
        start = len(self.chat) if since is None else since
        test = match if callable(match) else lambda line: match in line.text

        def found() -> Chat | None:
            return next((line for line in self.chat[start:] if test(line)), None)

        what = "a line in the chat" if callable(match) else f"{match!r} in the chat"
        line = await self.until(found, within=within, what=what)
        assert line is not None
        return line

    async def lines(self) -> AsyncIterator[Chat]:
        """The lines of the chat from now on, as they come, until the connection ends."""
        seen = len(self.chat)
        while self._link and not self._link.lost:
            while seen < len(self.chat):
                yield self.chat[seen]
                seen += 1
            await self._link.changed()

    def _face(self, target: Vector, *, level: bool = False) -> None:
        dx, dy, dz = (b - a for a, b in zip(self.pos, target, strict=True))
        if dx or dz:
            self.yaw = math.degrees(math.atan2(-dx, dz)) % 360
        self.pitch = 0.0 if level else -math.degrees(math.atan2(dy - EYES, math.hypot(dx, dz)))

    def _interact(self, action: Interaction, pointed: bytes) -> None:
        body = Writer().pack(">BH", action, HAND).long_string(pointed)
        self.send(ToServer.INTERACT, body.raw(self.where().take()))


def _object(entity: Entity | int) -> bytes:
    number = entity.id if isinstance(entity, Entity) else entity
    return Writer().pack(">BBH", 0, 2, number).take()


def _node(under: tuple[int, int, int], above: tuple[int, int, int] | None = None) -> bytes:
    return Writer().pack(">BB3h3h", 0, 1, *under, *(above or under)).take()
