"""Every error code and every close code of the wire, in one place; docs/protocol.md explains each."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """The `code` of an error message. The connection survives all of them but `flood`."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_FIELD = "invalid_field"
    WRONG_VERSION = "wrong_version"
    NOT_READY = "not_ready"
    REPEATED = "repeated"
    UNKNOWN_NPC = "unknown_npc"
    UNKNOWN_PLAYER = "unknown_player"
    UNKNOWN_REPLY = "unknown_reply"
    TOO_FAR = "too_far"
    TOO_MANY = "too_many"
    FLOOD = "flood"
    INTERNAL = "internal"


class Close(IntEnum):
    """The codes with which the runtime closes a connection (RFC 6455, section 7.4; 4000 and up are ours)."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    FLOOD = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    REPLACED = 4000
    NO_HELLO = 4001


class Farewell(NamedTuple):
    """With which code, and why, the runtime closes a connection."""

    code: Close
    reason: str
