"""The mod's link on real sockets: LuaJIT and LuaSocket against a `websockets` server, over bad networks.

How long things may take is said by the product (2 s, 5 s); the rest waits as long as it must.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.utils import accept_key

from agent_runtime.bridge import codec
from agent_runtime.bridge.messages import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from tests.support.modlink import ROOT, ModLink, PlainRuntime, eventually
from tests.support.proxy import Proxy, full_backlog

LATE = 0.5
"""Seconds that a busy machine may add to a promise of the product."""


def rating(number: int) -> dict[str, Any]:
    return {
        "type": "rating",
        "id": f"01JD{number:022d}",
        "reply": f"01JR{number:022d}",
        "player": "alice",
        "value": 5,
        "scale": "stars",
    }


def chat(number: int, size: int = 10) -> dict[str, Any]:
    return {"type": "chat", "n": number, "text": "x" * size}


@pytest.mark.parametrize("name", ["msgpack", "json"])
async def test_talk_both_ways(tmp_path: Path, name: str) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path, codec=name) as link:
        await link.until("up")
        assert runtime.connections[0].subprotocol == f"townsfolk.v1+{name}"
        sent = await link.call("send", chat(1))
        assert sent["sent"] is True
        await eventually(lambda: runtime.of_type("chat"))
        for number in range(100):
            await runtime.say({"type": "notice", "n": number, "text": "Grüß dich, 🌲"})
        heard = await link.heard(100)
        assert [message["n"] for message in heard] == list(range(100))
        assert heard[0]["text"] == "Grüß dich, 🌲"
        assert runtime.messages[0]["type"] == "hello"
        assert runtime.messages[0]["npcs"] == []


async def test_a_chat_line_leaves_inside_the_call(tmp_path: Path) -> None:
    """The mod's process ends before its next step: only what left at once can arrive."""
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path) as link:
        await link.until("up")
        await link.call("last_words", chat(1))
        await eventually(lambda: runtime.of_type("chat"))


async def test_one_byte_slices(tmp_path: Path) -> None:
    async with (
        PlainRuntime() as runtime,
        Proxy(runtime.port, slice_bytes=1) as proxy,
        ModLink(proxy.port, tmp_path) as link,
    ):
        await link.until("up")
        for number in range(5):
            await link.call("send", chat(number, 200))
            await runtime.say({"type": "notice", "n": number, "text": "y" * 200})
        assert [message["n"] for message in await link.heard(5)] == list(range(5))
        await eventually(lambda: len(runtime.of_type("chat")) == 5)
        assert runtime.of_type("chat") == [chat(number, 200) for number in range(5)]


async def test_partial_sends_through_a_small_buffer(tmp_path: Path) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path, send_buffer=2048) as link:
        await link.until("up")
        for number in range(3):
            await link.call("send", chat(number, 150_000))
        await eventually(lambda: len(runtime.of_type("chat")) == 3)
        assert runtime.of_type("chat") == [chat(number, 150_000) for number in range(3)]


async def test_a_black_holed_connect_is_given_up_after_two_seconds(tmp_path: Path) -> None:
    with full_backlog() as port:
        async with ModLink(port, tmp_path) as link:
            await link.until("connecting")
            took = await link.until("down", within=10)
            assert 1.5 < took < 2 + LATE
            assert await link.until("connecting", within=10) < 5
            status = await link.call("status")
            assert status["worst_step"] < 0.5
            assert "no answer within 2 s" in status["last_error"]


async def test_reset_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    async with (
        PlainRuntime() as runtime,
        Proxy(runtime.port) as proxy,
        ModLink(proxy.port, tmp_path) as link,
    ):
        await link.until("up")
        await runtime.say({"type": "notice", "n": 1, "text": "whole"})
        await link.heard(1)
        proxy.reset(after=5000)
        await runtime.say({"type": "notice", "n": 2, "text": "z" * 20_000})
        await link.until("not up")
        await link.until("up")
        await runtime.say({"type": "notice", "n": 3, "text": "whole"})
        assert [message["n"] for message in await link.heard(2)] == [1, 3]


async def test_a_latency_of_two_seconds_give_or_take_one(tmp_path: Path) -> None:
    """As slow as the product promises to bear: the link comes up and stays up, and the order is kept."""
    async with (
        PlainRuntime() as runtime,
        Proxy(runtime.port, latency=2.0, jitter=1.0, seed=3) as proxy,
        ModLink(proxy.port, tmp_path) as link,
    ):
        await link.until("up")
        for number in range(6):
            await link.call("send", chat(number))
            await link.call("keep", rating(number))
            await runtime.say({"type": "notice", "n": number, "text": "y"})
            await asyncio.sleep(0.5)
        assert [message["n"] for message in await link.heard(6)] == list(range(6))
        await eventually(lambda: len(runtime.of_type("rating")) == 6)
        assert [message["n"] for message in runtime.of_type("chat")] == list(range(6))
        assert [message["id"] for message in runtime.of_type("rating")] == [rating(n)["id"] for n in range(6)]
        status = await link.call("status")
        assert (status["up"], len(runtime.connections), proxy.connections) == (True, 1, 1)


@pytest.mark.parametrize("name", ["msgpack", "json"])
async def test_what_is_no_number_does_not_reach_the_mod(tmp_path: Path, name: str) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path, codec=name) as link:
        await link.until("up")
        for value in (float("nan"), float("inf"), float("-inf")):
            await runtime.say({"type": "notice", "n": 0, "text": "x", "pos": {"x": value}})
        await runtime.say({"type": "notice", "n": 1, "text": "y"})
        assert [message["n"] for message in await link.heard(1)] == [1]
        assert (await link.call("status"))["ignored"] == 3


async def test_a_half_open_link_is_known_within_five_seconds(tmp_path: Path) -> None:
    async with (
        PlainRuntime() as runtime,
        Proxy(runtime.port) as proxy,
        ModLink(proxy.port, tmp_path) as link,
    ):
        await link.until("up")
        proxy.black_hole()
        assert await link.until("not up", within=10) < 5 + LATE
        assert "silent" in (await link.call("status"))["last_error"]


async def test_a_stalled_reader_costs_telemetry_but_no_rating(tmp_path: Path) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path, send_buffer=4096) as link:
        await link.until("up")
        runtime.reading.clear()
        await link.call("send", {"type": "event", "events": [], "dropped": 0})
        for number in range(5):
            await link.call("keep", rating(number))
        # Far more than all buffers on the way hold.
        await link.call("flood", 6000)
        status = await link.call("status")
        assert status["dropped"] > 0
        assert status["queued"] <= 1000
        runtime.reading.set()
        await eventually(lambda: len({m["id"] for m in runtime.of_type("rating")}) == 5)
        await link.until("up")
        await eventually(lambda: runtime.of_type("event")[-1]["dropped"] == 6000)
        order = [event["dropped"] for event in runtime.of_type("event")]
        assert order == sorted(set(order))


async def test_a_wrong_token_is_explained_once(tmp_path: Path) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path, token="wrong") as link:
        await eventually(lambda: link.log)
        await asyncio.sleep(1.5)
        assert len(link.log) == 1
        assert "the token is wrong" in link.log[0]
        assert runtime.messages == []


async def test_back_within_two_seconds_of_the_runtimes_return(tmp_path: Path) -> None:
    async with PlainRuntime() as runtime, ModLink(runtime.port, tmp_path) as link:
        await link.until("up")
        port = runtime.port
        await runtime.__aexit__()
        await link.until("not up")
        await link.call("keep", rating(1))
        await asyncio.sleep(3)
        async with PlainRuntime(port) as again:
            assert await link.until("up") < 2 + LATE
            await eventually(lambda: again.of_type("rating"))
            await again.say({"type": "notice", "n": 1, "text": "back"})
            await link.heard(1)


async def test_a_kept_message_comes_again_only_with_its_own_id(tmp_path: Path) -> None:
    """Unacked, the connection is cut, and the game server restarts: the runtime sees one rating."""
    async with PlainRuntime() as runtime, Proxy(runtime.port) as proxy:
        runtime.acks = False
        async with ModLink(proxy.port, tmp_path) as link:
            await link.until("up")
            await link.call("keep", rating(1))
            await link.call("keep", rating(2))
            await eventually(lambda: len(runtime.of_type("rating")) == 2)
            proxy.reset()
            await link.until("not up")
            await link.until("up")
            await eventually(lambda: len(runtime.of_type("rating")) == 4)
        runtime.acks = True
        async with ModLink(proxy.port, tmp_path) as link:
            await link.until("up")
            await eventually(lambda: len(runtime.of_type("rating")) == 6)
            await eventually(lambda: len([m for m in link.messages if m["type"] == "ack"]) == 2)
            assert (await link.call("status"))["kept"] == 0
            proxy.reset()
            await link.until("not up")
            await link.until("up")
            await link.call("send", chat(1))
            await eventually(lambda: runtime.of_type("chat"))
    assert [m["id"] for m in runtime.of_type("rating")] == [rating(1)["id"], rating(2)["id"]] * 3


class RudeServer:
    """Does the handshake right and then sends these bytes; `close_code` is what the mod answers with."""

    def __init__(self, rude: bytes) -> None:
        self._rude = rude
        self._server: asyncio.Server | None = None
        self.close_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> RudeServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL_MSGPACK}\r\n\r\n".encode()
        )
        writer.write(self._rude)
        while True:
            first, second = await reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", await reader.readexactly(2))
            mask = await reader.readexactly(4)
            payload = await reader.readexactly(length)
            if first & 0x0F == 8 and not self.close_code.done():
                code = bytes(byte ^ mask[i] for i, byte in enumerate(payload[:2]))
                self.close_code.set_result(int.from_bytes(code, "big"))
                writer.close()
                return


@pytest.mark.parametrize(
    ("rude", "code", "reason"),
    [
        pytest.param(b"\x82\x81\x01\x02\x03\x04\x00", 1002, "masked frame", id="masked"),
        pytest.param(b"\xc2\x03abc", 1002, "compression", id="compressed"),
        pytest.param(b"\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00", 1009, "longer than", id="a gigabyte"),
        pytest.param(b"\x88\x03\x03\xe8\xff", 1007, "UTF-8", id="bad UTF-8"),
    ],
)
async def test_a_server_that_breaks_the_protocol_is_told_and_left(
    tmp_path: Path, rude: bytes, code: int, reason: str
) -> None:
    async with RudeServer(rude) as server, ModLink(server.port, tmp_path) as link:
        async with asyncio.timeout(20):
            assert await server.close_code == code
        await link.until("down")
        assert reason in link.log[0]


async def test_a_server_that_speaks_no_http(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, ModLink(server.sockets[0].getsockname()[1], tmp_path) as link:
        await eventually(lambda: link.log)
        assert "check host and port" in link.log[0]


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with ModLink(bound.getsockname()[1], tmp_path) as link:
            await eventually(lambda: link.log)
            assert "connection refused" in link.log[0]
            refused = await link.call("send", chat(1))
            assert (refused["sent"], refused["reason"]) == (False, "down")
            assert (await link.call("keep", rating(1)))["kept"] is True


async def test_steps_stay_short_while_the_network_is_bad(tmp_path: Path) -> None:
    """Not a figure of the product (see benchmarks/), but no step may ever wait for the network."""
    async with (
        PlainRuntime() as runtime,
        Proxy(runtime.port, slice_bytes=7) as proxy,
        ModLink(proxy.port, tmp_path) as link,
    ):
        await link.until("up")
        began = time.monotonic()
        for number in range(30):
            await runtime.say({"type": "notice", "n": number, "text": "y" * 500})
            await link.call("send", chat(number, 500))
        proxy.reset()
        await link.until("not up")
        await link.until("up")
        assert time.monotonic() - began < 20
        assert (await link.call("status"))["worst_step"] < 0.25


def test_what_lua_encodes_the_runtime_understands() -> None:
    """Every message of the vectors, through both codecs of the mod, read by the runtime's own codec."""
    script = """
        local net = dofile("spec/support/net.lua")
        for _, codec in ipairs({ net.codec(net.messagepack()), net.codec(nil) }) do
            for _, case in ipairs(net.vectors("messages").cases) do
                if case.to == "runtime" then print(net.hex(assert(codec:encode(case.message)))) end
            end
        end
    """
    run = subprocess.run(
        ["luajit", "-e", script], cwd=ROOT / "luanti_bridge_mod", capture_output=True, text=True, check=True
    )
    cases = json.loads((ROOT / "tests/vectors/messages.json").read_text())["cases"]
    wanted = [
        codec.decode(json.dumps(case["message"]), SUBPROTOCOL_JSON)
        for case in cases
        if case["to"] == "runtime"
    ]
    lines = [bytes.fromhex(line) for line in run.stdout.split()]
    assert len(lines) == 2 * len(wanted)
    half = len(wanted)
    assert [codec.decode(line, SUBPROTOCOL_MSGPACK) for line in lines[:half]] == wanted
    assert [codec.decode(line.decode(), SUBPROTOCOL_JSON) for line in lines[half:]] == wanted
