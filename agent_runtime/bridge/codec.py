"""Bytes from a game server come in, one typed message goes out, and back. Pure: no I/O, no state.

Whatever arrives, `decode` gives a valid message or raises MessageError. All text is stripped of what hides or
forges (`bridge.text`), both ways, so no later part of the runtime ever sees it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, get_args

import msgpack
import msgspec

from agent_runtime.bridge.codes import Code
from agent_runtime.bridge.messages import (
    PROTOCOL,
    SUBPROTOCOL_JSON,
    SUBPROTOCOL_MSGPACK,
    FromMod,
    FromRuntime,
    Hello,
)
from agent_runtime.bridge.scan import check_json, check_msgpack
from agent_runtime.bridge.text import visible
from agent_runtime.errors import MessageError

MAX_BYTES = 2**20
SUBPROTOCOLS = (SUBPROTOCOL_MSGPACK, SUBPROTOCOL_JSON)
_INT64 = 2**63
_EXACT = 2**53
_MAX_KEY = 100
_TYPES: dict[str, type[FromMod]] = {str(cls.__struct_config__.tag): cls for cls in get_args(FromMod)}


def decode(data: bytes | str, subprotocol: str) -> FromMod:
    """One message of the mod.

    An empty Lua table has no type, so an empty list, an empty map and null all mean *left out*; a whole
    float is taken as an integer, because the engine's JSON writer knows no integers.

    Raises MessageError with a code of `bridge.codes` and the message's `id` where it has one.
    """
    fields = _msgpack_map(data) if subprotocol == SUBPROTOCOL_MSGPACK else _json_map(data)
    of = _id_of(fields)
    name = fields.get("type")
    if not isinstance(name, str):
        raise MessageError(Code.INVALID_FIELD, "field `type`: every message needs one, as a string", of)
    cls = _TYPES.get(name)
    if cls is None:
        known = ", ".join(_TYPES)
        raise MessageError(Code.UNKNOWN_TYPE, f"type `{name[:40]}` is none of: {known}", of)
    if cls is Hello and fields.get("protocol") not in (None, PROTOCOL):
        raise MessageError(
            Code.WRONG_VERSION,
            f"hello says protocol {str(fields['protocol'])[:20]}, this runtime speaks {PROTOCOL}: "
            "install the mod that belongs to this runtime (townsfolk mod install)",
            of,
        )
    try:
        return msgspec.convert(fields, cls)
    except msgspec.ValidationError as error:
        raise MessageError(Code.INVALID_FIELD, f"{name}: {_plain(str(error))}", of) from None


def encode(message: FromRuntime, subprotocol: str) -> bytes | str:
    """The bytes (MessagePack) or the text (JSON) of one message of the runtime."""
    fields = _visible_all(msgspec.to_builtins(message))
    if subprotocol == SUBPROTOCOL_MSGPACK:
        return msgspec.msgpack.encode(fields)
    return msgspec.json.encode(fields).decode()


def _msgpack_map(data: bytes | str) -> dict[str, Any]:
    if isinstance(data, str):
        raise MessageError(Code.MALFORMED, f"{SUBPROTOCOL_MSGPACK} is spoken in binary frames, not in text")
    _check_size(len(data))
    check_msgpack(data)
    try:
        # The limits repeat what the scan found, in case the two ever disagree about a byte.
        value = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_checked_map,
            max_str_len=len(data),
            max_array_len=len(data),
            max_map_len=len(data),
            max_bin_len=0,
            max_ext_len=0,
        )
    except UnicodeDecodeError:
        raise MessageError(Code.MALFORMED, "a string is not valid UTF-8") from None
    except (ValueError, msgpack.UnpackException) as error:
        raise MessageError(Code.MALFORMED, f"not MessagePack: {error}") from None
    return _only_map(value)


def _json_map(data: bytes | str) -> dict[str, Any]:
    if isinstance(data, bytes):
        raise MessageError(Code.MALFORMED, f"{SUBPROTOCOL_JSON} is spoken in text frames, not in binary")
    _check_size(len(data))
    check_json(data)
    try:
        value = json.loads(data, object_pairs_hook=_checked_map, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError(Code.MALFORMED, f"not JSON: {error}") from None
    return _only_map(value)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise MessageError(Code.TOO_LARGE, f"a message has at most {MAX_BYTES} bytes, this one {size}")


def _only_map(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MessageError(Code.MALFORMED, "a message is one map")
    return value


def _no_constant(name: str) -> float:
    raise MessageError(Code.MALFORMED, f"{name} is not a number of this protocol")


def _checked_map(pairs: Iterable[tuple[object, object]]) -> dict[str, Any]:
    """Both decoders call this for every map, innermost first."""
    checked: dict[str, Any] = {}
    seen = set()
    for key, value in pairs:
        if not isinstance(key, str):
            raise MessageError(Code.MALFORMED, "map keys are strings")
        if key in seen:
            raise MessageError(Code.MALFORMED, f"key `{visible(key[:40])}` is there twice")
        seen.add(key)
        if len(key) > _MAX_KEY or not key.isprintable():
            raise MessageError(Code.MALFORMED, f"map keys are printable, at most {_MAX_KEY} characters")
        value = _checked(value)
        if value is not None and value != [] and value != {}:
            checked[key] = value
    return checked


def _checked(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise MessageError(Code.MALFORMED, "NaN and infinity are not numbers of this protocol")
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise MessageError(Code.MALFORMED, "integers have at most 64 bits")
    if isinstance(value, list):
        return [_checked(element) for element in value]
    return value  # true, false, nil; a map was checked before what holds it


def _id_of(fields: dict[str, Any]) -> str | None:
    of = fields.get("id")
    return of[:26] if isinstance(of, str) else None


def _plain(error: str) -> str:
    """msgspec's message, the field first: "field `snapshot.taken`: expected …"."""
    what, _, where = error.partition(" - at `$.")
    what = what[:1].lower() + what[1:200]  # msgspec repeats the value, however long
    return f"field `{where.rstrip('`')}`: {what}" if where else what


def _visible_all(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {key: _visible_all(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_visible_all(element) for element in value]
    return value
