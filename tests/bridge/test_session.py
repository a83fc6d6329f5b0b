"""One game server's session: what it may say depends on what it said before."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest

from agent_runtime.bridge.chats import ChatLog
from agent_runtime.bridge.codec import decode
from agent_runtime.bridge.messages import SUBPROTOCOL_MSGPACK, Hello, Notice, ReplyDone
from agent_runtime.bridge.outbox import Outbox
from agent_runtime.bridge.session import MAX_NPCS, MAX_PLAYERS, Session
from agent_runtime.errors import MessageError
from tests.support.game import MIRA, chat, hello, make_id, snapshot


class Talk:
    """A session and the queue of what it sent."""

    def __init__(self, chats: ChatLog | None = None) -> None:
        greeting = msgspec.convert(hello(), Hello)
        self.session = Session("S", greeting, SUBPROTOCOL_MSGPACK, Outbox(), chats or ChatLog(), "test")

    def admit(self, message: dict[str, Any]) -> bool:
        return self.session.admit(decode(msgpack.packb(message), SUBPROTOCOL_MSGPACK))

    def refused(self, message: dict[str, Any]) -> str:
        with pytest.raises(MessageError) as caught:
            self.admit(message)
        assert caught.value.of == message.get("id")
        return caught.value.code

    async def sent(self) -> list[dict[str, Any]]:
        return [msgpack.unpackb(await self.session.outbox.take()) for _ in range(len(self.session.outbox))]


def npc_state(npc: str, state: str, name: str = "Brom") -> dict[str, Any]:
    record = {"npc": npc, "name": name, "persona": "brom", "pos": {"x": 1, "y": 2, "z": 3}}
    return {"type": "npc_state", "npc": record, "state": state}


def test_a_line_to_a_known_npc_by_a_present_player_is_for_the_handler() -> None:
    assert Talk().admit(chat())


def test_an_npc_can_be_talked_to_from_its_spawning_to_its_removal() -> None:
    talk, brom = Talk(), make_id()
    assert talk.refused(chat(npc=brom)) == "unknown_npc"
    assert talk.admit(npc_state(brom, "spawned"))
    assert talk.admit(chat(npc=brom))
    assert talk.admit(npc_state(brom, "moved", name="Bromwell"))
    assert talk.session.npcs[brom].name == "Bromwell"
    assert talk.admit(npc_state(brom, "removed"))
    assert talk.refused(chat(npc=brom)) == "unknown_npc"
    assert talk.admit(npc_state(brom, "removed"))


def test_only_players_who_are_there_can_talk() -> None:
    talk = Talk()
    assert talk.refused(chat(player="bob")) == "unknown_player"
    assert talk.admit({"type": "player_joined", "player": "bob"})
    assert talk.admit(chat(player="bob"))
    assert talk.admit({"type": "player_left", "player": "bob"})
    assert talk.refused(chat(player="bob")) == "unknown_player"
    assert talk.refused(chat(player="Alice")) == "unknown_player"


def test_nobody_is_heard_across_the_world_unless_by_command() -> None:
    talk = Talk()
    far = snapshot(player_pos={"x": 3000, "y": 8, "z": 0})
    assert talk.refused(chat(snapshot=far)) == "too_far"
    assert talk.admit(chat(snapshot=far, how="command"))


async def test_a_repeated_line_gets_the_same_reply_and_no_second_turn() -> None:
    talk, line = Talk(), chat()
    assert talk.admit(line)
    assert talk.refused(line) == "repeated"
    reply = ReplyDone(make_id(), line["id"], MIRA, "alice", "Coal and a stick.", "model")
    talk.session.send(reply)
    assert not talk.admit(line)
    first, second = await talk.sent()
    assert first == second
    assert second["text"] == "Coal and a stick."


async def test_a_reply_made_after_the_connection_was_lost_is_there_on_the_next() -> None:
    chats = ChatLog()
    before, after, line = Talk(chats), Talk(chats), chat()
    assert before.admit(line)
    before.session.closed = True
    before.session.send(ReplyDone(make_id(), line["id"], MIRA, "alice", "Here.", "model"))
    assert not after.admit(line)
    assert [message["text"] for message in await after.sent()] == ["Here."]
    assert await before.sent() == []


async def test_a_ping_is_answered_with_its_number() -> None:
    talk = Talk()
    assert not talk.admit({"type": "ping", "n": 42})
    assert await talk.sent() == [{"type": "pong", "n": 42}]


def test_hello_comes_once() -> None:
    assert Talk().refused(hello()) == "repeated"


def test_knowledge_belongs_to_the_catalogue_of_the_hello() -> None:
    talk = Talk()
    part = {"type": "knowledge", "catalogue": "0" * 40, "part": 1, "parts": 2}
    assert talk.admit(part)
    assert talk.refused(part | {"catalogue": "1" * 40}) == "invalid_field"
    assert talk.refused(part | {"part": 3}) == "invalid_field"


def test_npcs_and_players_are_bounded() -> None:
    talk = Talk()
    for _ in range(MAX_NPCS - 1):
        talk.admit(npc_state(make_id(), "spawned"))
    assert talk.refused(npc_state(make_id(), "spawned")) == "too_many"
    assert talk.admit(npc_state(MIRA, "moved", name="Mira"))
    for number in range(MAX_PLAYERS - 1):
        talk.admit({"type": "player_joined", "player": f"player{number}"})
    assert talk.refused({"type": "player_joined", "player": "one_more"}) == "too_many"
    assert talk.admit({"type": "player_joined", "player": "alice"})


async def test_acks_name_what_is_on_disk() -> None:
    talk = Talk()
    talk.session.ack("a", "b")
    talk.session.send(Notice("info", "hi"))
    assert await talk.sent() == [
        {"type": "ack", "ids": ["a", "b"]},
        {"type": "notice", "level": "info", "text": "hi"},
    ]
