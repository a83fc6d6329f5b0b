"""One game server's connection: decoded messages come in and are checked against what this server told us
before; messages for the game are queued. Knows no sockets and no time: frames wait in the outbox.
"""

from __future__ import annotations

import math

import structlog

from agent_runtime.bridge.chats import ChatLog
from agent_runtime.bridge.codec import encode
from agent_runtime.bridge.codes import Code
from agent_runtime.bridge.messages import (
    Ack,
    Chat,
    FromMod,
    FromRuntime,
    Hello,
    Knowledge,
    NpcState,
    Ping,
    PlayerJoined,
    PlayerLeft,
    Pong,
    ReplyDone,
)
from agent_runtime.bridge.outbox import Outbox
from agent_runtime.bridge.parts import NpcRecord, Position
from agent_runtime.errors import MessageError

TALK_DISTANCE = 256.0
"""Nodes from which a player can be heard, at most; the mod's own settings are narrower."""
MAX_NPCS = 1000
MAX_PLAYERS = 1000

log = structlog.get_logger(__name__)


class Session:
    """One connection after a valid hello. `id` is new for every connection, `server` stays with the world."""

    def __init__(
        self, id: str, hello: Hello, subprotocol: str, outbox: Outbox, chats: ChatLog, address: str = ""
    ) -> None:
        self.id = id
        self.hello = hello
        self.subprotocol = subprotocol
        self.outbox = outbox
        self.address = address
        self.npcs: dict[str, NpcRecord] = {record.npc: record for record in hello.npcs}
        self.players: set[str] = set(hello.players)
        self.closed = False
        self.ended = ""
        """Why it was closed, in a few words."""
        self._chats = chats

    @property
    def server(self) -> str:
        return self.hello.server

    def send(self, message: FromRuntime) -> None:
        """Queue a message; returns at once. After the connection is gone it only remembers replies."""
        if isinstance(message, ReplyDone):
            self._chats.finish(message)
        if not self.closed:
            self.outbox.put(encode(message, self.subprotocol))

    def ack(self, *ids: str) -> None:
        """Tell the mod that these messages are on disk. Only what is committed may be acked."""
        self.send(Ack(ids=ids))

    def admit(self, message: FromMod) -> bool:
        """Check a message and learn from it. True when it is for the handler; False when it is already
        answered. Raises MessageError when it is not acceptable."""
        match message:
            case Ping():
                self.send(Pong(n=message.n))
                return False
            case Hello():
                raise MessageError(Code.REPEATED, "hello comes once, first; reconnect to say it again")
            case Knowledge():
                self._check_knowledge(message)
            case PlayerJoined():
                if len(self.players) >= MAX_PLAYERS and message.player not in self.players:
                    raise MessageError(Code.TOO_MANY, f"this server has {MAX_PLAYERS} players already")
                self.players.add(message.player)
            case PlayerLeft():
                self.players.discard(message.player)
            case NpcState():
                self._learn_npc(message)
            case Chat():
                return self._admit_chat(message)
            case _:
                pass
        return True

    def _check_knowledge(self, knowledge: Knowledge) -> None:
        if knowledge.catalogue != self.hello.catalogue:
            raise MessageError(Code.INVALID_FIELD, "knowledge: field `catalogue`: not the hash of this hello")
        if knowledge.part > knowledge.parts:
            raise MessageError(Code.INVALID_FIELD, "knowledge: field `part`: more than `parts`")

    def _learn_npc(self, message: NpcState) -> None:
        record = message.npc
        if message.state == "removed":
            self.npcs.pop(record.npc, None)
        elif record.npc in self.npcs or len(self.npcs) < MAX_NPCS:
            self.npcs[record.npc] = record
        else:
            raise MessageError(Code.TOO_MANY, f"this server has {MAX_NPCS} NPCs already; remove some")

    def _admit_chat(self, chat: Chat) -> bool:
        if chat.npc not in self.npcs:
            raise MessageError(
                Code.UNKNOWN_NPC, f"no NPC {chat.npc} on this server: npc_state tells of new ones", chat.id
            )
        if chat.player not in self.players:
            raise MessageError(Code.UNKNOWN_PLAYER, f"{chat.player} is not on this server", chat.id)
        away = _distance(chat.snapshot.npc_pos, chat.snapshot.player_pos)
        if away > TALK_DISTANCE and chat.how != "command":
            raise MessageError(
                Code.TOO_FAR, f"{away:.0f} nodes away; an NPC hears {TALK_DISTANCE:.0f} nodes far", chat.id
            )
        if self._chats.add(chat.id):
            return True
        reply = self._chats.reply_to(chat.id)
        if reply is None:
            raise MessageError(Code.REPEATED, "this line is being answered already", chat.id)
        log.info("repeated_chat_answered", server=self.server, session=self.id, chat=chat.id)
        self.send(reply)
        return False


def _distance(a: Position, b: Position) -> float:
    return math.dist((a.x, a.y, a.z), (b.x, b.y, b.z))
