"""The life of a connection on a real socket: who gets in, who is replaced, and what ends it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from agent_runtime.bridge.messages import (
    SUBPROTOCOL_JSON,
    SUBPROTOCOL_MSGPACK,
)
from agent_runtime.bridge.server import Bridge, Limits
from agent_runtime.bridge.session import Session
from tests.support.game import SERVER, TOKEN, Game, hello, make_id
from tests.support.handler import RecordingHandler
from tests.support.rawsocket import RawSocket, client_frame

BOTH = (SUBPROTOCOL_MSGPACK, SUBPROTOCOL_JSON)


async def status_of(port: int, **headers: str) -> tuple[int, str]:
    """HTTP status and text of a handshake with these headers; `_` stands for `-`."""
    async with RawSocket(port) as raw:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await raw.handshake(given)


async def test_messagepack_is_preferred(bridge: Bridge) -> None:
    async with RawSocket(bridge.port) as raw:
        offer = f"{SUBPROTOCOL_JSON}, {SUBPROTOCOL_MSGPACK}"
        status, text = await raw.handshake({"Sec-WebSocket-Protocol": offer})
        assert status == 101
        assert f"Sec-WebSocket-Protocol: {SUBPROTOCOL_MSGPACK}" in text


async def test_compression_is_off_even_when_offered(bridge: Bridge) -> None:
    status, text = await status_of(bridge.port, Sec_WebSocket_Extensions="permessage-deflate")
    assert status == 101
    assert "permessage-deflate" not in text


async def test_a_wrong_token_is_told_where_the_right_one_is(bridge: Bridge) -> None:
    for given in ("Bearer wrong", "", TOKEN):
        status, text = await status_of(bridge.port, Authorization=given)
        assert status == 401
        assert "townsfolk config show" in text
        assert TOKEN not in text


async def test_a_browser_is_kept_out(bridge: Bridge) -> None:
    status, text = await status_of(bridge.port, Origin="http://evil.example")
    assert status == 403
    assert "game servers" in text


async def test_a_client_must_offer_a_subprotocol_we_speak(bridge: Bridge) -> None:
    for offer in ("", "chat", "townsfolk.v2+msgpack"):
        status, text = await status_of(bridge.port, Sec_WebSocket_Protocol=offer)
        assert status == 400
        if offer:
            assert SUBPROTOCOL_MSGPACK in text


async def test_connections_are_limited(handler: RecordingHandler) -> None:
    async with Bridge(handler, token=TOKEN, limits=Limits(connections=1)) as bridge:
        async with Game(bridge.port):
            with pytest.raises(InvalidStatus) as caught:
                async with Game(bridge.port):
                    pass
            assert caught.value.response.status_code == 503
        await handler.until("closed")
        async with Game(bridge.port) as game:
            assert await game.is_alive()


async def test_who_does_not_say_hello_is_sent_away(handler: RecordingHandler) -> None:
    async with (
        Bridge(handler, token=TOKEN, limits=Limits(hello=0.3)) as bridge,
        Game(bridge.port, silent=True) as game,
    ):
        await game.send({"type": "ping", "n": 1})
        assert await game.close_code() == 4001
    assert handler.calls == []


async def test_a_session_that_cannot_be_opened_is_closed_and_may_try_again() -> None:
    class Broken(RecordingHandler):
        async def opened(self, session: Session) -> Any:
            if not self.calls:
                await self._note("failed", session)
                raise OSError("disk full")
            return await super().opened(session)

    broken = Broken()
    async with Bridge(broken, token=TOKEN) as bridge:
        async with Game(bridge.port, silent=True) as game:
            assert (await game.ask(hello()))["code"] == "internal"
            assert await game.close_code() == 1011
        async with Game(bridge.port) as game:
            assert await game.is_alive()
    assert [call for call, _ in broken.calls] == ["failed", "opened", "closed"]


async def test_the_same_game_server_again_replaces_its_old_connection(
    bridge: Bridge, handler: RecordingHandler
) -> None:
    async with Game(bridge.port) as old, Game(bridge.port) as new:
        assert await old.close_code() == 4000
        assert await new.is_alive()
        assert bridge.sessions[SERVER].id == new.welcome["session"]
    await handler.until("closed", 2)
    first, second = handler.sessions
    assert handler.calls == [
        ("opened", first.id),
        ("closed", first.id),
        ("opened", second.id),
        ("closed", second.id),
    ]


async def test_of_many_at_once_with_one_id_exactly_one_stays(
    bridge: Bridge, handler: RecordingHandler
) -> None:
    games = [Game(bridge.port, silent=True) for _ in range(8)]
    for game in games:
        await game.__aenter__()
    await asyncio.gather(*(game.send(hello()) for game in games))
    await handler.until("opened", 8)
    assert len(bridge.sessions) == 1
    alternating = [call for call, _ in handler.calls]
    assert alternating == ["opened", "closed"] * 7 + ["opened"]
    for game in games:
        await game.__aexit__()


async def test_a_silent_game_server_is_dropped_and_a_pinging_one_is_not(handler: RecordingHandler) -> None:
    limits = Limits(hello=2.0, silence=0.4)
    async with (
        Bridge(handler, token=TOKEN, limits=limits) as bridge,
        Game(bridge.port) as alive,
        Game(bridge.port, greeting=hello(server=make_id())) as dead,
    ):
        assert await dead.is_alive()
        for _ in range(10):
            assert await alive.is_alive()
            await asyncio.sleep(0.1)
        assert [call for call, _ in handler.calls] == ["opened", "opened", "closed"]
        assert handler.calls[-1][1] == dead.welcome["session"]
        assert await dead.close_code() == 1006


async def test_stopping_tells_the_game_servers(handler: RecordingHandler) -> None:
    async with Bridge(handler, token=TOKEN) as bridge:
        game = await Game(bridge.port).__aenter__()
    assert await game.close_code() == 1001
    assert [call for call, _ in handler.calls] == ["opened", "closed"]


FRAMES = {
    "oversized": (client_frame(b"x" * (2**20 + 1)), 1009),
    "oversized by its header": (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009),
    "unmasked": (b"\x82\x01\xc0", 1002),
    "compressed": (client_frame(b"x", first=0xC2), 1002),
    "reserved opcode": (client_frame(b"x", first=0x83), 1002),
    "continuation of nothing": (client_frame(b"x", first=0x80), 1002),
    "long control frame": (client_frame(b"x" * 126, first=0x89), 1002),
    "invalid text": (client_frame(b"\xff\xfe", first=0x81), 1007),
    "text with a surrogate": (client_frame(b"\xed\xa0\x80", first=0x81), 1007),
}


@pytest.mark.parametrize("name", FRAMES)
async def test_a_broken_frame_closes_the_connection_and_no_other(
    bridge: Bridge, handler: RecordingHandler, name: str
) -> None:
    frame, code = FRAMES[name]
    async with Game(bridge.port) as other, RawSocket(bridge.port) as raw:
        assert (await raw.handshake({"Sec-WebSocket-Protocol": SUBPROTOCOL_JSON}))[0] == 101
        await raw.send(frame)
        assert await raw.close_code() == code
        assert await other.is_alive()


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n" * 50, b"A" * 100_000],
)
async def test_what_is_no_websocket_gets_no_session(
    bridge: Bridge, handler: RecordingHandler, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with RawSocket(bridge.port) as raw:
            await raw.send(request_bytes)
            raw.end()
            await raw.rest()
    async with Game(bridge.port) as game:
        assert await game.is_alive()
    assert not [record for record in caplog.records if record.exc_info]
