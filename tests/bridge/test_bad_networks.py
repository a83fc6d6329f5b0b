"""The bridge behind networks that slice, delay, cut, swallow or do not read: nobody else waits."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

from agent_runtime.bridge.messages import SUBPROTOCOL_MSGPACK, Chat, FromMod, Notice, ReplyDone
from agent_runtime.bridge.server import Bridge, Limits
from agent_runtime.bridge.session import Session
from tests.support.game import SERVER, TOKEN, Game, chat, hello, make_id
from tests.support.handler import RecordingHandler
from tests.support.proxy import Proxy, full_backlog
from tests.support.rawsocket import RawSocket, client_frame


def answer(session: Session, message: FromMod) -> None:
    if isinstance(message, Chat):
        text = f"you said: {message.text}"
        session.send(ReplyDone(make_id(), message.id, message.npc, message.player, text, "model"))


@pytest.fixture
def handler() -> RecordingHandler:
    return RecordingHandler(answer)


async def test_one_byte_at_a_time_everything_arrives_whole(bridge: Bridge) -> None:
    async with Proxy(bridge.port, slice_bytes=1) as proxy, Game(proxy.port) as game:
        for number in range(20):
            reply = await game.ask(chat(f"line {number} äöü 🔥"))
            assert reply["text"] == f"you said: line {number} äöü 🔥"


@pytest.mark.parametrize(
    "scale",
    [pytest.param(1.0, marks=pytest.mark.slow, id="in full"), pytest.param(0.2, id="five times faster")],
)
async def test_two_seconds_of_latency_give_or_take_one_keep_the_link_and_the_order(
    handler: RecordingHandler, scale: float
) -> None:
    """Round trips take longer than the link may be silent; heartbeats, every two seconds, keep it."""
    limits = Limits(hello=10 * scale, silence=5 * scale)
    async with (
        Bridge(handler, token=TOKEN, limits=limits) as bridge,
        Proxy(bridge.port, latency=2 * scale, jitter=scale, seed=7) as proxy,
        Game(proxy.port) as game,
    ):
        lines = [f"line {number}" for number in range(6)]
        for number, line in enumerate(lines):
            await game.send(chat(line))
            await game.send({"type": "ping", "n": number})
            await asyncio.sleep(2 * scale)
        heard = [await game.receive() for _ in range(12)]
    assert [message["text"] for message in heard if message["type"] == "reply_done"] == [
        f"you said: {line}" for line in lines
    ]
    assert [message["n"] for message in heard if message["type"] == "pong"] == list(range(6))


async def test_a_reset_in_mid_frame_loses_no_more_than_that_frame(
    bridge: Bridge, handler: RecordingHandler
) -> None:
    line = chat("x" * 400)
    async with Proxy(bridge.port) as proxy:
        async with Game(proxy.port) as game:
            assert await game.is_alive()
            proxy.reset(after=300)
            await game.send(line)
            with pytest.raises(ConnectionClosed):
                await game.receive()
        await handler.until("closed")
        async with Game(proxy.port) as game:
            assert (await game.ask(line))["chat"] == line["id"]
            assert (await game.ask(line))["chat"] == line["id"]
    assert len(handler.messages) == 1


async def test_a_half_open_link_is_known_dead_within_five_seconds(
    bridge: Bridge, handler: RecordingHandler
) -> None:
    async with Proxy(bridge.port) as proxy, Game(proxy.port) as game:
        assert await game.is_alive()
        proxy.black_hole()
        begin = time.monotonic()
        await handler.until("closed", seconds=8)
        assert 4 < time.monotonic() - begin < 6
        assert bridge.sessions == {}


async def test_a_game_server_comes_back_while_its_old_link_is_half_open(
    bridge: Bridge, handler: RecordingHandler
) -> None:
    async with Proxy(bridge.port) as proxy, Game(proxy.port) as lost:
        assert await lost.is_alive()
        proxy.black_hole()
        begin = time.monotonic()
        async with Game(bridge.port) as game:
            assert await game.is_alive()
        assert time.monotonic() - begin < 1
        assert handler.calls[1] == ("closed", lost.welcome["session"])


async def deaf_game(bridge: Bridge) -> RawSocket:
    """Says hello, and from then on only talks."""
    raw = RawSocket(bridge.port)
    await raw.__aenter__()
    assert (await raw.handshake({"Sec-WebSocket-Protocol": SUBPROTOCOL_MSGPACK}))[0] == 101
    packed = Game(bridge.port).pack(hello())
    assert isinstance(packed, bytes)
    await raw.send(client_frame(packed))
    raw.stop_reading()
    return raw


async def test_a_game_server_that_does_not_read_is_dropped_and_holds_up_nobody(
    handler: RecordingHandler,
) -> None:
    async with Bridge(handler, token=TOKEN, limits=Limits(write=0.5)) as bridge:
        deaf = await deaf_game(bridge)
        async with Game(bridge.port, greeting=hello(server=make_id())) as other:
            await handler.until("opened", 2)
            stalled = bridge.sessions[SERVER]
            for _ in range(1000):
                stalled.send(Notice("info", "x" * 8000))
            slowest = 0.0
            while handler.count("closed") == 0:
                begin = time.monotonic()
                assert await other.is_alive()
                slowest = max(slowest, time.monotonic() - begin)
            assert slowest < 0.4
            assert stalled.closed
            assert handler.calls[-1] == ("closed", stalled.id)
        await deaf.__aexit__()


async def test_what_waits_for_a_slow_reader_is_bounded(handler: RecordingHandler) -> None:
    async with Bridge(handler, token=TOKEN, limits=Limits(write=0.5)) as bridge:
        deaf = await deaf_game(bridge)
        await handler.until("opened")
        stalled = bridge.sessions[SERVER]
        for _ in range(10_000):
            stalled.send(Notice("info", "x" * 8000))
        assert len(stalled.outbox) <= 2000
        await handler.until("closed", seconds=5)
        await deaf.__aexit__()


async def test_the_bridge_stops_in_time_although_a_game_server_does_not_read(
    handler: RecordingHandler,
) -> None:
    async with Bridge(handler, token=TOKEN) as bridge:
        deaf = await deaf_game(bridge)
        await handler.until("opened")
        for _ in range(500):
            bridge.sessions[SERVER].send(Notice("info", "x" * 8000))
        await asyncio.sleep(0.1)
        begin = time.monotonic()
    assert time.monotonic() - begin < 3
    assert handler.count("closed") == 1
    await deaf.__aexit__()


async def test_a_frame_announced_but_never_finished_costs_only_its_own_connection(
    handler: RecordingHandler,
) -> None:
    async with (
        Bridge(handler, token=TOKEN, limits=Limits(hello=1.0, silence=0.5)) as bridge,
        RawSocket(bridge.port) as raw,
    ):
        await raw.handshake({})
        await raw.send(client_frame(b"x" * 1000)[:500])
        assert await raw.close_code() == 4001
        async with Game(bridge.port) as game:
            assert await game.is_alive()


async def test_the_full_backlog_really_hangs_a_connect() -> None:
    """The proxy's companion for the mod's tests: a listener that neither accepts nor refuses."""
    with full_backlog() as port, socket.socket() as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", port))
