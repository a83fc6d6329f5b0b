"""docs/protocol.md says what the message types say: every type, field, limit and code, each way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgpack
import msgspec
import msgspec.inspect as mi
import pytest

from agent_runtime.bridge import budget, codec, messages, parts, scan, server, session
from agent_runtime.bridge.codes import Close, Code

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")

PATTERNS = {
    get_args(alias)[1].pattern: name
    for alias, name in {
        parts.Ulid: "ULID",
        parts.PlayerName: "player name",
        parts.PersonaId: "persona id",
        parts.CatalogueHash: "hash",
    }.items()
}
TYPES = {
    "From the mod to the runtime": {str(t.__struct_config__.tag): t for t in get_args(messages.FromMod)},
    "From the runtime to the mod": {str(t.__struct_config__.tag): t for t in get_args(messages.FromRuntime)},
    "Parts of messages": {
        t.__name__: t
        for t in vars(parts).values()
        if isinstance(t, type) and issubclass(t, msgspec.Struct) and t is not msgspec.Struct
    },
}


def span(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" ≥ {low:g}"
    return f" ≤ {high:.15g}" if low is None else f" {low:.15g} to {high:.15g}"


def kind(of: Any) -> str:
    """A type in the page's words."""
    match of:
        case mi.StrType(pattern=str() as pattern):
            return PATTERNS[pattern]
        case mi.StrType():
            return "text" + span(of.min_length, of.max_length)
        case mi.IntType():
            return "integer" + span(of.ge, of.le)
        case mi.FloatType():
            return "number" + span(of.ge, of.le)
        case mi.BoolType():
            return "true or false"
        case mi.LiteralType():
            return ", ".join(f"`{value}`" if value else "empty" for value in of.values)
        case mi.VarTupleType() | mi.ListType():
            return f"list of {kind(of.item_type)}" + (f", at most {of.max_length}" if of.max_length else "")
        case mi.DictType():
            return f"map of {kind(of.value_type)}"
        case mi.StructType():
            return f"[{of.cls.__name__}](#{of.cls.__name__.lower()})"
        case mi.UnionType():
            return " or ".join(kind(part) for part in of.types if not isinstance(part, mi.NoneType))
    raise AssertionError(f"no words for {of}")


def fields_of(cls: type[msgspec.Struct]) -> dict[str, str]:
    info = mi.type_info(cls)
    assert isinstance(info, mi.StructType)
    return {
        field.encode_name: kind(field.type) + ("" if field.required else "; optional")
        for field in info.fields
    }


def section(title: str, level: int = 2) -> str:
    """The text under a heading, up to the next of its level or above."""
    found = re.search(
        rf"^{'#' * level} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert found, f"docs/protocol.md has no heading `{title}`"
    return found.group(1)


def rows(text: str) -> list[list[str]]:
    """The cells of each table row, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        row
        for before, row in zip([[], *cells], cells, strict=False)
        if before and not set(row[0]) <= set("-: ")
    ]


@pytest.mark.parametrize("direction", TYPES)
def test_the_page_has_exactly_these_messages(direction: str) -> None:
    written = re.findall(r"^### `?(\w+)`?$", section(direction), re.MULTILINE)
    assert sorted(written) == sorted(TYPES[direction])


@pytest.mark.parametrize(("direction", "name"), [(d, name) for d, types in TYPES.items() for name in types])
def test_the_page_has_exactly_these_fields(direction: str, name: str) -> None:
    found = re.search(
        rf"^### `?{name}`?\n(.*?)(?=^###? |\Z)", section(direction) + "## ", re.MULTILINE | re.DOTALL
    )
    assert found
    table = rows(found.group(1))
    written = {row[0].strip("`"): row[1] for row in table}
    assert written == fields_of(TYPES[direction][name])
    assert all(len(row[2]) > 3 for row in table), "every field has a meaning"


def test_every_pattern_is_explained() -> None:
    explained = {row[0]: row[1] for row in rows(section("Values"))}
    for pattern, name in PATTERNS.items():
        assert pattern.strip("^$") in explained[name]


def test_every_error_code_is_explained() -> None:
    assert [row[0].strip("`") for row in rows(section("Errors"))] == [str(code) for code in Code]


def test_every_close_code_is_explained() -> None:
    assert [int(row[0]) for row in rows(section("Closing"))] == [int(code) for code in Close]


def test_the_limits_are_those_of_the_code() -> None:
    limits = server.Limits()
    assert {row[0]: row[1] for row in rows(section("Limits"))} == {
        "bytes of a message": f"{codec.MAX_BYTES:,}",
        "values in a message": f"{scan.MAX_VALUES:,}",
        "depth of maps and lists": str(scan.MAX_DEPTH),
        "connections": str(limits.connections),
        "seconds until hello": f"{limits.hello:g}",
        "seconds of silence": f"{limits.silence:g}",
        "seconds for the runtime to write a message": f"{limits.write:g}",
        "errors": f"{budget.ERRORS_ALLOWED} in {budget.WINDOW_SECONDS:g} s",
        "NPCs of a game server": f"{session.MAX_NPCS:,}",
        "players of a game server": f"{session.MAX_PLAYERS:,}",
        "nodes between player and NPC": f"{session.TALK_DISTANCE:g}",
    }


def test_the_example_conversation_is_spoken_by_the_code() -> None:
    lines = re.findall(r"^    ([→←]) (\{.*\})$", section("An example"), re.MULTILINE)
    assert len(lines) > 8
    for arrow, text in lines:
        if arrow == "→":
            codec.decode(text, messages.SUBPROTOCOL_JSON)
        else:
            cls = TYPES["From the runtime to the mod"][json.loads(text)["type"]]
            msgspec.json.decode(text.encode(), type=cls)


def test_the_example_bytes_are_what_they_say() -> None:
    text = section("An example")
    plain = re.search(r"`(\{[^`]*\})` is in MessagePack", text)
    code = re.search(r"^    ([0-9a-f ]+)$", text, re.MULTILINE)
    assert plain
    assert code
    data = bytes.fromhex(code.group(1))
    assert msgpack.unpackb(data) == json.loads(plain.group(1))
    codec.decode(data, messages.SUBPROTOCOL_MSGPACK)


def test_both_subprotocols_are_named() -> None:
    assert all(name in section("Connecting") for name in codec.SUBPROTOCOLS)
