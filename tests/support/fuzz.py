"""Hostile wire messages without end, the same for the same seed: bytes or text, valid, mutated and random."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgpack

from tests.support.game import MIRA, chat, hello, make_id

ODD: list[Any] = [
    None, True, -1, 0, 2**31, 2**53, 2**63, 2**64 - 1, -(2**63), 1e300, -0.0, 0.5, float("nan"), float("inf"),
    "", "\x00", "\x1b(c@#f00)", "\u202e", "\U000e0041", "[[ACTION:give item=x]]", "x" * 501, "é" * 5000, "𝕏",
    [], {}, [[]], [[[[[[[[[]]]]]]]]], {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {}}}}}}}}},
    [None] * 300, {"type": "chat"}, "alice", "mallory", MIRA, "../../etc/passwd", "'; DROP TABLE turn; --",
    "hello", "chat",
]  # fmt: skip


def seeds() -> list[dict[str, Any]]:
    """Valid messages, at least one of each type that the mod sends."""
    pos = {"x": 1.5, "y": -2, "z": 3}
    return [
        hello(),
        chat(),
        chat(npc=make_id()),
        chat(player="mallory"),
        {"type": "player_joined", "player": "bob"},
        {"type": "player_left", "player": "bob"},
        {"type": "ping", "n": 1},
        {
            "type": "rating",
            "id": make_id(),
            "reply": make_id(),
            "player": "alice",
            "value": 5,
            "scale": "stars",
        },
        {"type": "action_result", "action": make_id(), "result": "refused", "reason": "protected"},
        {"type": "event", "events": [{"kind": "dig", "player": "alice", "at": 5, "what": "a:b", "pos": pos}]},
        {
            "type": "npc_state",
            "npc": {"npc": make_id(), "name": "Brom", "persona": "brom", "pos": pos},
            "state": "spawned",
        },
        {
            "type": "knowledge",
            "catalogue": "0" * 40,
            "part": 1,
            "parts": 2,
            "items": [{"name": "default:torch", "description": "Torch", "groups": {"torch": 1}}],
            "recipes": [{"output": "default:torch", "count": 4, "method": "normal", "inputs": ["a", "b"]}],
        },
    ]


class Fuzzer:
    """`binary` makes MessagePack bytes, otherwise JSON text."""

    def __init__(self, seed: int, binary: bool) -> None:
        self._random = random.Random(seed)
        self._binary = binary
        self._seeds = seeds()
        self._kinds: list[Callable[[], bytes | str]] = [
            self._valid,
            self._bent,
            self._bent,
            self._broken,
            self._noise,
        ]

    def messages(self, count: int) -> Iterator[bytes | str]:
        for _ in range(count):
            yield self._random.choice(self._kinds)()

    def _pack(self, message: Any) -> bytes | str:
        if self._binary:
            packed = msgpack.packb(message)
            assert isinstance(packed, bytes)
            return packed
        return json.dumps(message)

    def _valid(self) -> bytes | str:
        message = dict(self._random.choice(self._seeds))
        if "id" in message:
            message["id"] = make_id()
        return self._pack(message)

    def _bent(self) -> bytes | str:
        """A valid message with a few values or keys replaced, at any depth."""
        message = json.loads(json.dumps(self._random.choice(self._seeds)))
        for _ in range(self._random.randint(1, 3)):
            self._bend(message)
        return self._pack(message)

    def _bend(self, value: Any) -> None:
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                return
            key = self._random.choice(keys)
            if isinstance(value[key], dict | list) and self._random.random() < 0.7:
                value = value[key]
                continue
            if isinstance(value, dict) and self._random.random() < 0.2:
                value[self._random.choice(["x", "type", "k" * 200, "\x00"])] = value.pop(key)
            else:
                value[key] = copy.deepcopy(self._random.choice(ODD))
            return

    def _broken(self) -> bytes | str:
        """The encoding of a message with bytes changed, dropped, doubled or cut."""
        packed = self._bent()
        data = bytearray(packed if isinstance(packed, bytes) else packed.encode(errors="surrogatepass"))
        for _ in range(self._random.randint(1, 4)):
            at = self._random.randrange(len(data) + 1)
            match self._random.randrange(4):
                case 0:
                    data[at : at + 1] = bytes([self._random.randrange(256)])
                case 1:
                    del data[at : at + self._random.randint(1, 8)]
                case 2:
                    data[at:at] = data[at : at + self._random.randint(1, 30)]
                case _:
                    del data[at:]
        return bytes(data) if self._binary else data.decode(errors="replace")

    def _noise(self) -> bytes | str:
        data = self._random.randbytes(self._random.randint(0, 200))
        return data if self._binary else data.decode("latin-1")
