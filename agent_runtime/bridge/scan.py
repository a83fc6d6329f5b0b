"""A look at the shape of undecoded bytes: depth, number of values and declared lengths are checked here,
before a decoder allocates anything. Nothing is decoded.
"""

from __future__ import annotations

import re

from agent_runtime.bridge.codes import Code
from agent_runtime.errors import MessageError

MAX_DEPTH = 8
MAX_VALUES = 200_000
"""Values and keys in one message; a full catalogue part has about 160,000."""

# What a leading byte announces: a length, or how the length is written.
_STR, _MAP, _ARRAY, _FIXED, _BAD = range(5)

_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_JSON_BRACKET = re.compile(r"[\[\]{}]")


def _leading_bytes() -> list[tuple[int, int, int]]:
    """For each leading byte: kind, bytes of its length field, and its fixed length (MessagePack spec)."""
    table = [(_BAD, 0, 0)] * 256
    for byte in (*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3):  # small ints, nil, false, true
        table[byte] = (_FIXED, 0, 0)
    for byte in range(16):
        table[0x80 + byte] = (_MAP, 0, byte)
        table[0x90 + byte] = (_ARRAY, 0, byte)
    for byte in range(32):
        table[0xA0 + byte] = (_STR, 0, byte)
    for byte, size in {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}.items():  # floats, uints
        table[byte] = (_FIXED, 0, size)
    for byte, size in {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}.items():  # ints
        table[byte] = (_FIXED, 0, size)
    for kind, first, sizes in ((_STR, 0xD9, (1, 2, 4)), (_ARRAY, 0xDC, (2, 4)), (_MAP, 0xDE, (2, 4))):
        for offset, size in enumerate(sizes):
            table[first + offset] = (kind, size, 0)
    return table  # left as bad: 0xC1, which is never used, binary data and extension types


_LEADING = _leading_bytes()


def check_msgpack(data: bytes) -> None:
    """Raises MessageError unless `data` is one complete value of acceptable shape."""
    size = len(data)
    table = _LEADING
    position = 0
    values = 0
    left = 1  # values still to come in the innermost container
    outer: list[int] = []
    while True:
        while left == 0:
            if not outer:
                if position != size:
                    raise MessageError(Code.MALFORMED, f"{size - position} bytes follow the message")
                return
            left = outer.pop()
        left -= 1
        if position >= size:
            raise MessageError(Code.MALFORMED, "the message ends in the middle")
        byte = data[position]
        kind, width, length = table[byte]
        position += 1
        if width:
            length = int.from_bytes(data[position : position + width], "big")
            position += width
        if kind in (_FIXED, _STR):
            position += length
            if position > size:
                raise MessageError(Code.MALFORMED, "the message ends in the middle")
            continue
        if kind == _BAD:
            raise MessageError(Code.MALFORMED, f"byte 0x{byte:02x}: binary and extension types are not used")
        if kind == _MAP:
            length *= 2
        if length > size - position:
            raise MessageError(Code.MALFORMED, "a map or array claims to be longer than its message")
        values += length
        if values > MAX_VALUES:
            raise MessageError(Code.TOO_LARGE, f"more than {MAX_VALUES} values in one message")
        outer.append(left)
        if len(outer) > MAX_DEPTH:
            raise MessageError(Code.MALFORMED, f"maps and arrays deeper than {MAX_DEPTH}")
        left = length


def check_json(text: str) -> None:
    """Raises MessageError when `text` nests too deep or holds too many values; grammar is for the decoder."""
    if text.count(",") + text.count(":") + text.count("[") + text.count("{") > MAX_VALUES:
        raise MessageError(Code.TOO_LARGE, f"more than {MAX_VALUES} values in one message")
    depth = 0
    for bracket in _JSON_BRACKET.findall(_JSON_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise MessageError(Code.MALFORMED, f"maps and arrays deeper than {MAX_DEPTH}")
