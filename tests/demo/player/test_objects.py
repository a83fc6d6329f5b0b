"""Entities out of the packets that tell of them, built field by field as the engines write them."""

from __future__ import annotations

import struct

import pytest

from demo.player.objects import Entities
from demo.player.packets import PacketError, Reader, Vector, Writer


def properties(nametag: str, infotext: str = "", *, newer: bytes = b"") -> bytes:
    body = Writer().pack(">BBH", 0, 4, 20).pack(">Bf", 1, 0).pack(">12f", *range(12)).pack(">B", 1)
    body.string("mesh").pack(">3f", 1, 1, 1).pack(">H", 2).string("a.png").string("b.png")
    body.pack(">4h", 1, 1, 0, 0).pack(">BBf", 1, 0, 0).string("character.b3d")
    body.pack(">H", 1).pack(">I", 0xFFFFFFFF).pack(">BfBfB", 0, 1.1, 0, 0, 1)
    body.string(nametag).pack(">If", 0xFFFFFFFF, -1).string(infotext).string("")
    return body.raw(newer).take()


def position(x: float, y: float, z: float, yaw: float) -> bytes:
    values = (10 * x, 10 * y, 10 * z, 10, 0, 0, 0, 0, 0, 0, yaw, 0)
    return struct.pack(">B12fBBf", 1, *values, 1, 0, 0.1)


def added(number: int, name: str, is_player: bool, *messages: bytes) -> bytes:
    data = Writer().pack(">B", 1).string(name).pack(">BH", is_player, number)
    data.pack(">6fH", 10, 20, 30, 0, 90, 0, 20).pack(">B", len(messages))
    for message in messages:
        data.long_string(message)
    return Writer().pack(">HB", number, 7).long_string(data.take()).take()


def packet(removed: list[int], *new: bytes) -> Reader:
    body = Writer().pack(f">H{len(removed)}H", len(removed), *removed).pack(">H", len(new))
    for one in new:
        body.raw(one)
    return Reader(body.take())


def to_object(number: int, message: bytes) -> Reader:
    return Reader(Writer().pack(">H", number).string(message).take())


@pytest.fixture
def entities() -> Entities:
    entities = Entities()
    entities.remove_and_add(
        packet([], added(5, "townsfolk:npc", False, properties("Mira", "Mira")), added(6, "alice", True)), 1.0
    )
    return entities


def test_what_is_added_is_known(entities: Entities) -> None:
    mira = entities[5]
    assert (mira.nametag, mira.infotext, mira.mesh) == ("Mira", "Mira", "character.b3d")
    assert mira.textures == ("a.png", "b.png")
    assert (mira.pos, mira.yaw) == (Vector(1, 2, 3), 90)
    alice = entities.player("alice")
    assert alice is not None
    assert alice.id == 6
    assert entities.player("townsfolk:npc") is None


def test_what_is_removed_is_forgotten(entities: Entities) -> None:
    entities.remove_and_add(packet([5]), 2.0)
    assert 5 not in entities
    assert [entity.id for entity in entities] == [6]


def test_movement_is_followed(entities: Entities) -> None:
    entities.messages(to_object(5, position(4, 5, 6, 180)), 2.0)
    assert entities[5].pos == Vector(4, 5, 6)
    assert entities[5].velocity == Vector(1, 0, 0)
    assert entities[5].yaw == 180


def test_every_text_over_the_head_is_kept_with_its_time(entities: Entities) -> None:
    for at, tag in ((2.0, "Mira\n…"), (3.0, "Mira\n…"), (4.0, "Mira\n\x1b(c@#f00)Hello\x1b(c@#fff) dear")):
        entities.messages(to_object(5, properties(tag, newer=bytes(20))), at)
    assert [(tag.at, tag.text) for tag in entities[5].tags] == [
        (1.0, "Mira"),
        (2.0, "Mira\n…"),
        (4.0, "Mira\nHello dear"),
    ]


def test_messages_to_the_unknown_and_of_unknown_kinds_are_skipped(entities: Entities) -> None:
    entities.messages(to_object(99, position(0, 0, 0, 0)), 2.0)
    entities.messages(to_object(5, b"\x63 whatever"), 2.0)
    assert entities[5].pos == Vector(1, 2, 3)


def test_an_unknown_version_is_said_to_be_one(entities: Entities) -> None:
    with pytest.raises(PacketError, match="version"):
        entities.messages(to_object(5, b"\0\x09"), 2.0)
