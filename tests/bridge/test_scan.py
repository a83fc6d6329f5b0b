"""The shape of undecoded bytes: every MessagePack format is told apart, and no length is believed."""

from __future__ import annotations

import json
import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.bridge.scan import MAX_DEPTH, MAX_VALUES, check_json, check_msgpack
from agent_runtime.errors import MessageError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20),
    max_leaves=40,
)


def nested(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(VALUES)
def test_whatever_is_whole_and_flat_enough_passes_and_its_parts_do_not(value: object) -> None:
    data = msgpack.packb(value)
    if depth_of(value) > MAX_DEPTH:
        with pytest.raises(MessageError):
            check_msgpack(data)
        return
    check_msgpack(data)
    with pytest.raises(MessageError):
        check_msgpack(data[:-1])
    with pytest.raises(MessageError, match="follow"):
        check_msgpack(data + b"\xc0")


def test_long_strings_arrays_and_maps_pass() -> None:
    check_msgpack(msgpack.packb(["x" * 70_000, list(range(70_000)), {str(i): i for i in range(60_000)}]))


@pytest.mark.parametrize(
    "check", [lambda v: check_msgpack(msgpack.packb(v)), lambda v: check_json(json.dumps(v))]
)
def test_depth_eight_is_the_last(check: object) -> None:
    assert callable(check)
    check(nested(8))
    with pytest.raises(MessageError, match="deeper than 8"):
        check(nested(9))


def test_brackets_inside_json_strings_are_not_depth() -> None:
    check_json(json.dumps({"text": "[[[[[[[[[[{{{{{{{{", "more": 'a "quoted" [[[[[[[[[[ \\'}))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends in the middle"),
        (b"\xdd\xff\xff\xff\xff", "longer than its message"),
        (b"\xdf\xff\xff\xff\xff", "longer than its message"),
        (b"\xdb\xff\xff\xff\xff", "ends in the middle"),
        (b"\xdc\xff", "longer than its message"),
        (b"\xdd\x00\x10\x00\x00" * 1000, "longer than its message"),
        (b"\xc1", "not used"),
        (b"\xc4\x01a", "binary and extension"),
        (b"\xc6\xff\xff\xff\xff", "binary and extension"),
        (b"\xd4\x01\x00", "binary and extension"),
        (b"\xc7\x01\x01\x00", "binary and extension"),
        (b"\xc9\xff\xff\xff\xff\x01", "binary and extension"),
        (b"\xd6\xff\x00\x00\x00\x00", "binary and extension"),  # a timestamp
        (b"\x91" * 100_000, "deeper than 8"),
    ],
)
def test_bad_bytes_cost_no_memory(data: bytes, why: str) -> None:
    tracemalloc.start()
    with pytest.raises(MessageError, match=why):
        check_msgpack(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_megabyte_of_tiny_values_is_too_large() -> None:
    with pytest.raises(MessageError, match="values") as caught:
        check_msgpack(msgpack.packb([[]] * (MAX_VALUES + 1)))
    assert caught.value.code == "too_large"
    with pytest.raises(MessageError) as caught:
        check_json("[" + "[]," * MAX_VALUES + "[]]")
    assert caught.value.code == "too_large"
