"""Twenty thousand hostile messages: each is accepted or refused by name, nothing else ever happens."""

from __future__ import annotations

import gc
from collections import Counter

import msgspec
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from agent_runtime.bridge.chats import ChatLog
from agent_runtime.bridge.codec import decode
from agent_runtime.bridge.codes import Code
from agent_runtime.bridge.messages import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, Hello
from agent_runtime.bridge.outbox import Outbox
from agent_runtime.bridge.server import Bridge
from agent_runtime.bridge.session import Session
from agent_runtime.errors import MessageError
from tests.support.fuzz import Fuzzer
from tests.support.game import TOKEN, Game, hello
from tests.support.handler import RecordingHandler

MEGABYTE = 2**20


def resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


async def feed(subprotocol: str, seed: int, count: int) -> Counter[str]:
    """Through codec and session; how often each outcome came."""
    outcomes: Counter[str] = Counter()
    lengths: list[int] = []
    fuzzer = Fuzzer(seed, binary=subprotocol == SUBPROTOCOL_MSGPACK)
    greeting = msgspec.convert(hello(), Hello)
    session = Session("S", greeting, subprotocol, Outbox(), ChatLog(remembered=100))
    for data in fuzzer.messages(count):
        try:
            session.admit(decode(data, subprotocol))
            outcomes["accepted"] += 1
        except MessageError as error:
            outcomes[str(error.code)] += 1
            lengths.append(len(str(error)))
    assert 0 < min(lengths) <= max(lengths) < 400
    return outcomes


@pytest.mark.parametrize("subprotocol", [SUBPROTOCOL_MSGPACK, SUBPROTOCOL_JSON])
async def test_ten_thousand_messages_are_accepted_or_refused_by_name(subprotocol: str) -> None:
    await feed(subprotocol, seed=1, count=1000)
    before = resident()
    outcomes = await feed(subprotocol, seed=2, count=10_000)
    assert resident() - before < 20 * MEGABYTE
    assert sum(outcomes.values()) == 10_000
    assert set(outcomes) - {"accepted"} <= set(Code)
    # The fuzzer reaches every kind of check, or it would prove little.
    assert outcomes["accepted"] > 1000
    assert (
        min(outcomes[code] for code in ("malformed", "invalid_field", "unknown_type", "wrong_version")) > 10
    )
    assert min(outcomes[code] for code in ("unknown_player", "unknown_npc", "repeated")) > 0


async def test_the_server_survives_a_thousand_of_them_and_serves_on() -> None:
    handler = RecordingHandler()
    endings: set[int | None] = set()
    messages = list(Fuzzer(3, binary=True).messages(1000))
    async with (
        Bridge(handler, token=TOKEN) as bridge,
        Game(bridge.port, greeting=hello(server="0" * 26)) as other,
    ):
        while messages:
            async with Game(bridge.port) as game:
                try:
                    while messages:
                        await game.socket.send(messages.pop())
                        await game.settle()
                except ConnectionClosed as closed:
                    endings.add(closed.rcvd.code if closed.rcvd else None)
            assert await other.is_alive()
    assert endings == {1008}, "only floods may end a connection"
    assert handler.count("opened") == handler.count("closed")
    assert handler.count("received") > 100
