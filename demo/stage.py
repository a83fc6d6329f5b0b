"""The stage of the scene: a runtime, a real server with the mod in a fresh world, an NPC, a named river.

What is started here is stopped here. The folder with the world, the journal and the logs is removed, and kept
when something failed."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.engine import Engine, machine_engine
from demo.errors import NotSeen, SceneFailed, ServerFailed
from demo.player import Entity, Player, Vector
from demo.runtime import Runtime
from demo.server import Server
from demo.talk import find_npc

NPC = "Mira"
PERSONA = "mira"

# The seed's valley: a meadow at y = 42, woods around it, and a river bank 24 nodes to the north-east; the
# same on 5.6.1, 5.10.0 and 5.15.2.
VALLEY = {"mg_name": "valleys", "fixed_map_seed": "46"}
SPAWN = Vector(-90, 42.5, -70)
NPC_AT = Vector(-81, 42.5, -70)
RIVER = Vector(-64, 43.5, -53)

SETTINGS = {
    **VALLEY,
    "static_spawnpoint": ",".join(str(value) for value in SPAWN),
    # In the scene the NPC speaks when spoken to, so that every word is an answer.
    "townsfolk.idle_lines": "false",
}


LINKED_WITHIN = 20.0


class Stage:
    """`async with Stage(report) as stage:` has everybody in place. `report` is told what is going on."""

    def __init__(
        self,
        report: Callable[[str], None] = lambda _: None,
        *,
        engine: Engine | None = None,
        settings: Mapping[str, str] | None = None,
        runtime: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="townsfolk-"))
        self.admin_password = secrets.token_urlsafe(9)
        self.engine = engine or machine_engine()
        self.runtime = Runtime(self.folder / "home", settings=runtime)
        self._settings = {**SETTINGS, **(settings or {})}
        self._port = port
        self._report = report
        self._stack = AsyncExitStack()
        self.server: Server

    async def __aenter__(self) -> Self:
        try:
            await self._set()
        except BaseException as error:
            await self._stack.aclose()
            self._clear(keep=isinstance(error, Exception))
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._report("stopping")
        await self._stack.aclose()
        self._clear(keep=isinstance(error, Exception))

    async def closed(self) -> None:
        """Returns never: raises ServerFailed when the server or the runtime ends by itself."""
        running = (self.server.process, self.runtime.process)
        waits = [asyncio.create_task(process.ended()) for process in running]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        ended = next(process for process in running if not process.running)
        raise ServerFailed(f"{ended.what} ended{ended.how()}; its log ends:\n{ended.tail()}")

    async def during(self, work: Coroutine[None, None, None]) -> None:
        """Does the work. Raises ServerFailed as soon as the server or the runtime ends by itself, not what
        followed from that."""
        closed, working = asyncio.create_task(self.closed()), asyncio.create_task(work)
        try:
            await asyncio.wait((closed, working), return_when=asyncio.FIRST_COMPLETED)
            await (closed if closed.done() else working)
        finally:
            closed.cancel()
            working.cancel()
            await asyncio.gather(closed, working, return_exceptions=True)

    async def _set(self) -> None:
        self._report("starting the runtime with the embedded model")
        await self._stack.enter_async_context(self.runtime)
        self._report(f"starting Luanti {self.engine} with the mod in a fresh world")
        self.server = Server(
            self.engine,
            runtime=self.runtime,
            settings=self._settings,
            folder=self.folder / "game",
            port=self._port,
        )
        await self._stack.enter_async_context(self.server)
        await self.server.process.ready(_linked, within=LINKED_WITHIN)
        self._report("placing the NPC and naming the river")
        async with await self.server.join_admin(self.admin_password) as admin:
            await teleport(admin, RIVER)
            await command(admin, "/npc mark river", "“river”")
            await teleport(admin, NPC_AT)
            await command(admin, f"/npc spawn {PERSONA} {NPC}", f"{NPC} is here")
            await admin.until(lambda: find_npc(admin, NPC), within=10, what=f"the sight of {NPC}")

    def _clear(self, *, keep: bool) -> None:
        if keep:
            self._report(f"the world, the journal and the logs are kept in {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._report(f"the world, the journal and the logs are removed ({self.folder})")


async def command(player: Player, line: str, answer: str) -> str:
    """Gives a chat command and returns the line that contains `answer`; raises SceneFailed with what came
    instead."""
    heard = len(player.chat)
    await player.say(line)
    try:
        return (await player.hear(answer, since=heard, within=5)).text
    except NotSeen:
        said = " / ".join(chat.text for chat in player.chat[heard:]) or "nothing"
        raise SceneFailed(f"{line} was answered with: {said}") from None


async def teleport(admin: Player, to: Vector) -> None:
    """Puts the admin at a place and waits until the world is there."""
    await admin.say(f"/teleport {to.x},{to.y},{to.z}")
    await admin.until(lambda: admin.pos.distance(to) < 1, within=10, what=f"arrival at {to}")
    node = (int(to.x), int(to.y), int(to.z))
    await admin.until(lambda: admin.has_block(node), within=30, what=f"the world around {to}")


def sight_of(player: Player, name: str = NPC) -> Entity:
    """The NPC as the player sees it; raises SceneFailed."""
    npc = find_npc(player, name)
    if npc is None:
        raise SceneFailed(f"{player.name} does not see {name}")
    return npc


def _linked(log: str) -> bool:
    """Whether the mod has reached the runtime; raises SceneFailed when its log says that it cannot."""
    for line in log.splitlines():
        if "stock lines only" in line:
            raise SceneFailed(line.partition("[townsfolk] ")[2] or line)
    return "[townsfolk] connected to the runtime" in log
