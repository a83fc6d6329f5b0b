"""An application for the bridge that does nothing but remember what it was told, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_runtime.bridge.messages import PROTOCOL, FromMod, Welcome
from agent_runtime.bridge.parts import PersonaCard
from agent_runtime.bridge.session import Session

CARD = PersonaCard(
    "mira", "Mira", "the baker", (), ("Good day!",), ("Later.",), ("Hm?",), ("Wait.",), ("Slowly.",), ("…",)
)


class RecordingHandler:
    """Implements `bridge.handler.Handler`. `act`, when set, is called with each message and may raise."""

    def __init__(self, act: Callable[[Session, FromMod], None] | None = None, heartbeat: float = 1.0) -> None:
        self.act = act
        self.heartbeat = heartbeat
        self.calls: list[tuple[str, str]] = []
        """What was called, with the session's id."""
        self.messages: list[FromMod] = []
        self.sessions: list[Session] = []
        self._changed = asyncio.Condition()

    async def opened(self, session: Session) -> tuple[Welcome]:
        self.sessions.append(session)
        await self._note("opened", session)
        return (Welcome(PROTOCOL, "test", session.id, True, self.heartbeat, (CARD,)),)

    async def received(self, session: Session, message: FromMod) -> None:
        self.messages.append(message)
        await self._note("received", session)
        if self.act is not None:
            self.act(session, message)

    async def closed(self, session: Session) -> None:
        await self._note("closed", session)

    def count(self, call: str) -> int:
        """How often `opened`, `received` or `closed` was called."""
        return sum(name == call for name, _ in self.calls)

    async def until(self, call: str, times: int = 1, seconds: float = 10.0) -> None:
        """Wait until `call` was made so many times; TimeoutError when it takes longer."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.count(call) >= times)

    async def _note(self, call: str, session: Session) -> None:
        async with self._changed:
            self.calls.append((call, session.id))
            self._changed.notify_all()
