"""A whole game for tests: a real Luanti server with our mod, and the real bridge with an application that
answers as it is told. Nothing of ours is replaced but the words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from agent_runtime.bridge.messages import (
    PROTOCOL,
    ActionRequest,
    ActionResult,
    Chat,
    FromMod,
    ReplyDelta,
    ReplyDone,
    Welcome,
)
from agent_runtime.bridge.parts import ItemCount, NpcRecord, PersonaCard
from agent_runtime.bridge.server import Bridge, Limits
from agent_runtime.bridge.session import Session
from agent_runtime.bridge.ulid import UlidMaker
from demo.engine import Engine
from demo.player import Chat as ChatLine
from demo.player import Entity, Player
from demo.server import Server

MOD = Path(__file__).parent.parent.parent / "luanti_bridge_mod"
PROBE = Path(__file__).parent.parent / "luanti" / "mods" / "townsfolk_probe"
TOKEN = "a-token-for-tests-and-nothing-else"
CARD = PersonaCard(
    persona="baker",
    name="Mira",
    role="the baker",
    inventory=(ItemCount("default:apple", 5), ItemCount("no_such_mod:bread", 3)),
    greeting=("Fresh rolls!",),
    offline=("My oven is cold today.",),
    late=("The dough takes its time. Ask again?",),
    busy=("A queue, as ever.",),
    slow_down=("One roll at a time.",),
    idle=("Poppy seeds.",),
)
T = TypeVar("T", bound=FromMod)
make_id = UlidMaker().make


class Script:
    """Implements the bridge's handler: remembers all messages and calls `answer` for every chat."""

    def __init__(self, answer: Callable[[Session, Chat], None] | None, send_catalogue: bool) -> None:
        self.answer = answer
        self.send_catalogue = send_catalogue
        self.messages: list[FromMod] = []
        self.session: Session | None = None

    async def opened(self, session: Session) -> tuple[Welcome]:
        self.session = session
        return (Welcome(PROTOCOL, "test", session.id, self.send_catalogue, 1.0, (CARD,)),)

    async def received(self, session: Session, message: FromMod) -> None:
        self.messages.append(message)
        if isinstance(message, Chat) and self.answer is not None:
            self.answer(session, message)

    async def closed(self, session: Session) -> None:
        if self.session is session:
            self.session = None


def reply(session: Session, chat: Chat, *sentences: str) -> str:
    """Answer a chat with whole sentences, each streamed in two pieces; returns the reply's id."""
    made = make_id()
    n = 0
    for index, sentence in enumerate(sentences):
        words = sentence if index == 0 else " " + sentence
        for text, ends in ((words[: len(words) // 2], False), (words[len(words) // 2 :], True)):
            session.send(ReplyDelta(made, chat.id, chat.npc, chat.player, n, text, ends))
            n += 1
    session.send(ReplyDone(made, chat.id, chat.npc, chat.player, " ".join(sentences), "model"))
    return made


class Game:
    """`async with Game(engine) as game:` has a server with the mod, and the bridge unless `runtime=False`."""

    def __init__(
        self,
        engine: Engine,
        *,
        answer: Callable[[Session, Chat], None] | None = None,
        send_catalogue: bool = False,
        runtime: bool = True,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
        mods: Mapping[str, Path] | None = None,
        trusted: bool = True,
    ) -> None:
        self.script = Script(answer, send_catalogue)
        self._port = port
        self._wants_runtime = runtime
        self._stack = AsyncExitStack()
        self._runtime: AsyncExitStack | None = None
        self._engine = engine
        self._mods = {"townsfolk": MOD, "townsfolk_probe": PROBE, **(mods or {})}
        self._settings = {
            "townsfolk.token": TOKEN,
            "townsfolk.idle_lines": "false",
            "chat_message_limit_per_10sec": "0",
            **({"secure.trusted_mods": "townsfolk"} if trusted else {}),
            **(settings or {}),
        }
        self.server: Server

    async def start_runtime(self) -> None:
        """Start the bridge, on the same port as before."""
        self._runtime = AsyncExitStack()
        bridge = Bridge(self.script, token=TOKEN, port=self._port, limits=Limits(silence=5))
        await self._runtime.enter_async_context(bridge)
        self._port = bridge.port

    async def stop_runtime(self) -> None:
        """Stop the bridge."""
        if self._runtime is not None:
            await self._runtime.aclose()
            self._runtime = None

    async def __aenter__(self) -> Self:
        if self._wants_runtime:
            await self.start_runtime()
        settings = self._settings | {"townsfolk.port": str(self._port)}
        self.server = Server(self._engine, mods=self._mods, settings=settings)
        await self._stack.enter_async_context(self.server)
        if self._wants_runtime:
            try:
                await self.connected()
            except BaseException:
                await self.__aexit__(None, None, None)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        print(self.server.log_tail(60))
        await self._stack.aclose()
        await self.stop_runtime()

    async def connected(self, times: int = 1) -> None:
        """The mod has been welcomed so many times since the server's first start."""
        words = "[townsfolk] connected to the runtime"
        await self.until(
            lambda: self.server.log_text().count(words) >= times, "the mod's connection", within=30
        )

    @property
    def session(self) -> Session:
        """The connection of the mod."""
        assert self.script.session is not None, "the mod is not connected"
        return self.script.session

    def heard(self, kind: type[T]) -> list[T]:
        """All messages of that type so far."""
        return [message for message in self.script.messages if isinstance(message, kind)]

    async def until(self, test: Callable[[], Any], what: str, within: float = 15.0) -> Any:
        """The first true value of `test`."""
        for _ in range(int(within / 0.02)):
            if value := test():
                return value
            await asyncio.sleep(0.02)
        raise AssertionError(f"waited {within:.0f} s in vain for {what}")

    async def message(self, kind: type[T], since: int = 0) -> T:
        """The first message of that type after the first `since` of them."""
        found: list[T] = await self.until(lambda: self.heard(kind)[since:], kind.__name__)
        return found[0]

    async def spawn(self, admin: Player, name: str = "Mira", persona: str = "baker") -> NpcRecord:
        """The admin makes an NPC where they stand; returns once the runtime knows it."""
        await command(admin, f"/npc spawn {persona} {name}", f"{name} is here")

        def known() -> NpcRecord | None:
            return next((npc for npc in self.session.npcs.values() if npc.name == name), None)

        record: NpcRecord = await self.until(known, f"{name} at the runtime")
        return record

    async def act(
        self, chat: Chat, name: str, action: str = "", taken: float | None = None, **arguments: str | int
    ) -> ActionResult:
        """Ask for an action as the answer to a chat; returns what became of it."""
        action = action or make_id()
        before = len(self.heard(ActionResult))
        moment = chat.snapshot.taken if taken is None else taken
        self.session.send(ActionRequest(action, make_id(), chat.npc, chat.player, name, arguments, moment))
        result = await self.message(ActionResult, since=before)
        assert result.action == action
        return result

    def stats(self) -> dict[str, Any]:
        """What the mod wrote about its own work; {} before the first time."""
        path = self.server.world / "townsfolk_stats.json"
        return json.loads(path.read_text()) if path.exists() else {}


async def command(player: Player, line: str, expected: str) -> ChatLine:
    """Give a command and return the line that answers it."""
    mark = len(player.chat)
    await player.say(line)
    return await player.hear(expected, since=mark)


async def body_of(player: Player, name: str) -> Entity:
    """The NPC's body, as that player sees it."""

    def seen() -> Entity | None:
        return next((e for e in player.entities if not e.is_player and e.nametag.startswith(name)), None)

    entity = await player.until(seen, within=15, what=f"{name}'s body")
    assert entity is not None
    return entity
