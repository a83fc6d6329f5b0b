from __future__ import annotations

from agent_runtime.bridge.chats import REMEMBERED_SERVERS, ChatLog, ChatLogs
from agent_runtime.bridge.messages import ReplyDone


def done(chat: str) -> ReplyDone:
    return ReplyDone("R", chat, "N", "alice", f"answer to {chat}", "model")


def test_a_chat_is_new_once() -> None:
    log = ChatLog()
    assert log.add("a")
    assert not log.add("a")
    assert log.reply_to("a") is None
    log.finish(done("a"))
    assert log.reply_to("a") == done("a")


def test_the_oldest_is_forgotten() -> None:
    log = ChatLog(remembered=2)
    assert [log.add(chat) for chat in "abc"] == [True] * 3
    log.finish(done("a"))
    assert log.reply_to("a") is None
    assert not log.add("c")
    assert log.add("a")


def test_servers_have_their_own_logs_and_those_unseen_for_long_are_forgotten() -> None:
    logs = ChatLogs()
    logs.of("first").add("a")
    assert logs.of("second").add("a")
    assert not logs.of("first").add("a")
    for number in range(REMEMBERED_SERVERS):
        logs.of(str(number))
    assert logs.of("first").add("a")
