"""Which chat lines of a game server were already received, and how they were answered. Bounded memory."""

from __future__ import annotations

from collections import OrderedDict

from agent_runtime.bridge.messages import ReplyDone

REMEMBERED = 2000
REMEMBERED_SERVERS = 100


class ChatLog:
    """Outlives a connection, so a line sent again after a reconnect is not answered a second time."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._replies: OrderedDict[str, ReplyDone | None] = OrderedDict()

    def add(self, chat: str) -> bool:
        """Note a chat's id; False when it was there already."""
        if chat in self._replies:
            return False
        self._replies[chat] = None
        if len(self._replies) > self._remembered:
            self._replies.popitem(last=False)
        return True

    def finish(self, reply: ReplyDone) -> None:
        """Note how a chat was answered."""
        if reply.chat in self._replies:
            self._replies[reply.chat] = reply

    def reply_to(self, chat: str) -> ReplyDone | None:
        """The reply to a chat; None while it is on its way, or when the chat is not known."""
        return self._replies.get(chat)


class ChatLogs:
    """One ChatLog per game server, for those that connected last."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, ChatLog] = OrderedDict()

    def of(self, server: str) -> ChatLog:
        """The log of this game server's id, empty when it is new."""
        log = self._logs.setdefault(server, ChatLog())
        self._logs.move_to_end(server)
        if len(self._logs) > REMEMBERED_SERVERS:
            self._logs.popitem(last=False)
        return log
