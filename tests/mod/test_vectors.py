"""The vectors of the Lua specs, checked against the libraries of the runtime's side."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgpack
import msgspec
import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Close, Frame
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.streams import StreamReader
from websockets.uri import parse_uri
from websockets.utils import accept_key, apply_mask

from agent_runtime.bridge import codec, messages

VECTORS = Path(__file__).parent.parent / "vectors"
MOD = Path(__file__).parents[2] / "luanti_bridge_mod"


def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return loaded


def in_bytes(description: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    if isinstance(description, list):
        return b"".join(in_bytes(part) for part in description)
    if "hex" in description:
        return bytes.fromhex(description["hex"])
    return bytes.fromhex(description["fill"]) * int(description["times"])


def parsed(reader: Generator[None, None, Frame]) -> Frame:
    with pytest.raises(StopIteration) as done:
        next(reader)
    frame = done.value.value
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize("case", vectors("frames")["client"], ids=lambda case: case["name"])
def test_a_frame_of_the_mod_is_one_that_the_server_library_reads(case: dict[str, Any]) -> None:
    payload, mask = in_bytes(case["payload"]), bytes.fromhex(case["mask"])
    stream = StreamReader()
    stream.feed_data(bytes.fromhex(case["head"]) + apply_mask(payload, mask))
    frame = parsed(Frame.parse(stream.read_exact, mask=True))
    assert (frame.opcode, frame.data, frame.fin) == (case["opcode"], payload, True)


def as_events(frames: list[Any]) -> list[dict[str, Any]]:
    """Frames as the parser of the mod reports them: fragments joined, close frames taken apart."""
    events: list[dict[str, Any]] = []
    joined, opcode = b"", 0
    for frame in frames:
        if frame.opcode == 8:
            close = Close.parse(frame.data)
            events.append({"opcode": 8, "code": int(close.code), "reason": close.reason})
        elif frame.opcode > 8:
            events.append({"opcode": int(frame.opcode), "payload": frame.data})
        else:
            opcode, joined = int(frame.opcode) or opcode, joined + frame.data
            if frame.fin:
                events.append({"opcode": opcode, "payload": joined})
                joined = b""
    return events


@pytest.mark.parametrize("case", vectors("frames")["server"], ids=lambda case: case["name"])
def test_the_client_library_judges_the_servers_bytes_alike(case: dict[str, Any]) -> None:
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=OPEN, max_size=2**20)
    protocol.receive_data(in_bytes(case["bytes"]))
    wanted = [
        {**event, "payload": in_bytes(event["payload"])} if "payload" in event else event
        for event in case["events"]
    ]
    # The library hands text on undecoded; that it must be UTF-8 is checked by its caller.
    if case["problem"] == 1007 and "text" in case["name"]:
        with pytest.raises(UnicodeDecodeError):
            as_events(protocol.events_received())[0]["payload"].decode()
        return
    assert as_events(protocol.events_received()) == wanted
    sent = protocol.close_sent
    refused = protocol.parser_exc is not None and sent is not None
    assert (int(sent.code) if refused and sent else None) == case["problem"]


def test_accept_is_what_the_server_library_answers_with() -> None:
    loaded = vectors("handshake")
    assert accept_key(loaded["key"]) == loaded["accept"]


@pytest.mark.parametrize("case", vectors("handshake")["cases"], ids=lambda case: case["name"])
def test_the_client_library_refuses_no_answer_that_the_mod_takes(case: dict[str, Any]) -> None:
    """And takes none that the mod refuses, but for what only the mod asks for: its own subprotocol."""
    loaded = vectors("handshake")
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), subprotocols=[loaded["subprotocol"]])
    protocol.key = loaded["key"]
    stream = StreamReader()
    stream.feed_data(case["response"].encode())
    stream.feed_eof()
    try:
        reader = Response.parse(stream.read_line, stream.read_exact, stream.read_to_eof)
        with pytest.raises(StopIteration) as done:
            next(reader)
        protocol.process_response(done.value.value)
    except (WebSocketException, ValueError, EOFError):
        taken = False
    else:
        taken = True
    assert taken == (case["refusal"] is None) or (taken and case["refusal"] == "version")


@pytest.mark.parametrize("case", vectors("messages")["cases"], ids=lambda case: case["msgpack"][:24])
def test_a_message_is_the_same_in_both_forms_and_valid(case: dict[str, Any]) -> None:
    packed = bytes.fromhex(case["msgpack"])
    assert msgpack.unpackb(packed) == case["message"]
    if case["to"] == "runtime":
        assert codec.decode(packed, messages.SUBPROTOCOL_MSGPACK) == codec.decode(
            json.dumps(case["message"]), messages.SUBPROTOCOL_JSON
        )
    else:
        msgspec.convert(case["message"], messages.FromRuntime)


@pytest.mark.parametrize("case", vectors("utf8")["cases"], ids=lambda case: case["name"])
def test_utf8_verdicts_are_pythons(case: dict[str, Any]) -> None:
    try:
        bytes.fromhex(case["hex"]).decode()
    except UnicodeDecodeError:
        assert not case["valid"]
    else:
        assert case["valid"]


def list_fields(annotation: Any, seen: set[type]) -> set[str]:
    """Names of the fields that are lists in a message type or in anything it holds."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        if annotation in seen:
            return set()
        seen.add(annotation)
        found: set[str] = set()
        for name, hint in get_type_hints(annotation).items():
            if getattr(hint, "__origin__", None) is tuple:
                found.add(name)
            found |= list_fields(hint, seen)
        return found
    return set().union(*(list_fields(part, seen) for part in get_args(annotation)))


def test_the_mods_codec_knows_every_list_that_it_sends() -> None:
    """Lua has one empty table for lists and maps: the codec tells them apart by these names."""
    source = (MOD / "src/net/codec.lua").read_text()
    names = source.split("codec.LISTS = {")[1].split("}")[0].replace("= true", "").replace(",", " ").split()
    assert set(names) == list_fields(messages.FromMod, set())
