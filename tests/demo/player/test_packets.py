"""Fields of packets: what is written can be read, and a short packet is said to be one."""

from __future__ import annotations

import struct

import pytest

from demo.player.packets import PacketError, Reader, Vector, Writer


def test_strings_survive_with_their_lengths() -> None:
    data = Writer().string("Mira").long_string(b"\0\1").wide_string("Grüße 😀").take()
    reader = Reader(data)
    assert reader.string() == b"Mira"
    assert reader.long_string() == b"\0\1"
    assert reader.wide_string() == "Grüße 😀"
    assert not reader


def test_a_wide_string_counts_units_of_two_bytes() -> None:
    assert Writer().wide_string("a😀").take() == bytes.fromhex("0003 0061 d83d de00")


def test_positions_are_in_tenths_of_a_node() -> None:
    assert Reader(struct.pack(">3f", 10, -25, 3095)).position() == Vector(1, -2.5, 309.5)


def test_a_packet_that_ends_too_early_is_said_to() -> None:
    reader = Reader(b"\0\5abc")
    with pytest.raises(PacketError, match="ends before byte 7"):
        reader.string()


def test_a_step_towards_a_point_never_goes_beyond_it() -> None:
    start, goal = Vector(0, 0, 0), Vector(3, 4, 0)
    assert start.towards(goal, 2.5) == Vector(1.5, 2, 0)
    assert start.towards(goal, 5) == goal
    assert start.towards(goal, 9) == goal
    assert goal.towards(goal, 1) == goal
