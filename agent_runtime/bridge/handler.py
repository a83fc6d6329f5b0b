"""What the application is to the bridge: the three calls that the bridge makes. No code of its own."""

from __future__ import annotations

from typing import Protocol

from agent_runtime.bridge.messages import FromMod, Notice, Welcome
from agent_runtime.bridge.session import Session


class Handler(Protocol):
    """Implemented by the application.

    The calls of one session come one after another, in the order of its messages: `opened`, then
    `received` for each message, then `closed`, once, whatever happened. The next message of a session is
    read only when `received` has returned: start a task for what takes longer than a few milliseconds
    (a chat's turn does), so that a goodbye or another player's line is not held up. Sessions do not wait
    for each other.

    A MessageError from `received` is answered with its code; any other exception is logged and answered
    with `internal`. The session goes on. When `opened` fails, the connection is closed, and `closed` is
    not called.
    """

    async def opened(self, session: Session) -> tuple[Welcome, *tuple[Notice, ...]]:
        """A game server said hello (`session.hello`). The bridge sends what this returns, first of all."""

    async def received(self, session: Session, message: FromMod) -> None:
        """A message that passed every check of the session; never a hello, a ping or a repeated chat."""

    async def closed(self, session: Session) -> None:
        """The connection is gone, for the reason in `session.ended`. What is sent to this session from now
        on reaches nobody, except that a `reply_done` is kept for the case that the mod asks again with the
        same chat."""
