"""The one table of actions: names, typed arguments, limits.

It feeds the policy, the training corpus, the docs and the mod (`make actions` writes
`luanti_bridge_mod/src/npc/action_table.lua` from it; a test fails when the two differ).
It never decides whether an action is allowed: that is `policy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agent_runtime.errors import ActionError

ArgumentKind = Literal["target", "item", "count", "direction", "emote", "text", "seconds"]

EMOTES = ("wave", "nod", "shake_head", "bow", "dance", "sit", "cheer", "shrug")
DIRECTIONS = (
    "north",
    "north-east",
    "east",
    "south-east",
    "south",
    "south-west",
    "west",
    "north-west",
    "up",
    "down",
)
MAX_COUNT = 99
MAX_SECONDS = 600
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. `target` is a player, mob or place by name; without it, the speaker is meant."""

    name: str
    kind: ArgumentKind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One row. `reach` is the largest distance in nodes to the target; `executed` says whether the
    mod carries it out today (the others are known to the model and refused by policy)."""

    name: str
    summary: str
    arguments: tuple[Argument, ...] = ()
    reach: int = 0
    executed: bool = False


_TARGET = Argument("target", "target")
_ITEM = Argument("item", "item", required=True)
_COUNT = Argument("count", "count")

TABLE: dict[str, Action] = {
    action.name: action
    for action in (
        Action("move", "take a few steps in a direction", (Argument("direction", "direction", True),)),
        Action("go_to", "walk to a player, mob or marked place", (_TARGET,), reach=200, executed=True),
        Action("follow", "walk after somebody until told to stop", (_TARGET,), reach=64, executed=True),
        Action("stop", "stop whatever is going on", executed=True),
        Action("look_at", "turn the face to somebody or something", (_TARGET,), reach=200, executed=True),
        Action("wander", "stroll about near home"),
        Action("flee", "run away from somebody", (_TARGET,)),
        Action("guard", "stand watch over somebody or a place", (_TARGET,)),
        Action("attack", "fight a hostile mob", (Argument("target", "target", True),)),
        Action("dig", "dig a node", (_TARGET,)),
        Action("place", "place a node from the own inventory", (_ITEM, _TARGET)),
        Action("collect", "pick up items that lie near by", (Argument("item", "item"),)),
        Action("craft", "craft an item from the own inventory", (_ITEM, _COUNT)),
        Action(
            "give",
            "hand over an item from the own inventory",
            (_ITEM, _COUNT, _TARGET),
            reach=8,
            executed=True,
        ),
        Action("take", "take an item that somebody offers", (_ITEM, _COUNT, _TARGET)),
        Action("trade", "offer one item for another", (_ITEM, _COUNT, Argument("for", "item", True))),
        Action("use", "use the item in hand on something", (_ITEM, _TARGET)),
        Action("open", "open a door or a chest", (_TARGET,)),
        Action("emote", "show a gesture", (Argument("kind", "emote", True),), executed=True),
        Action("whisper", "say this reply to one player alone", (_TARGET,)),
        Action("remember", "keep the player's line in memory"),
        Action("ask_help", "call other players or the admins for help", (Argument("text", "text"),)),
    )
}

ALIASES: dict[str, tuple[str, dict[str, str]]] = {
    **{f"move_{d.replace('-', '_')}": ("move", {"direction": d}) for d in DIRECTIONS},
    **{emote: ("emote", {"kind": emote}) for emote in EMOTES},
    "goto": ("go_to", {}),
    "come": ("go_to", {}),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """An action as the model proposed it, with its arguments checked for form but not for right."""

    name: str
    arguments: Mapping[str, str | int]


def parse_proposal(body: str) -> Proposal:
    """Parse what stands between `[[ACTION:` and `]]`: `name key= value key= value …`.

    A value runs to the next ` key=` or to the end; spaces around it do not count. Raises
    `ActionError` for an unknown name, an unknown or missing argument, or a value out of range.
    """
    words = body.strip().split(" ")
    name = words[0].lower()
    values: dict[str, str] = {}
    if name in ALIASES:
        name, values = ALIASES[name][0], dict(ALIASES[name][1])
    action = TABLE.get(name)
    if action is None:
        raise ActionError(f"unknown action {name[:40]!r}")
    key: str | None = None
    given: dict[str, list[str]] = {}
    for word in words[1:]:
        head, equals, tail = word.partition("=")
        if equals and head.isidentifier():
            if head in given:
                raise ActionError(f"{name}: argument {head[:40]!r} given twice")
            key = head
            given[key] = [tail] if tail else []
        elif key is not None:
            given[key].append(word)
        elif word:
            raise ActionError(f"{name}: {word[:40]!r} belongs to no argument")
    values.update({k: " ".join(v).strip() for k, v in given.items()})
    return Proposal(name, _checked(action, values))


def _checked(action: Action, values: dict[str, str]) -> dict[str, str | int]:
    known = {argument.name: argument for argument in action.arguments}
    for key in values:
        if key not in known:
            raise ActionError(f"{action.name}: unknown argument {key[:40]!r}")
    checked: dict[str, str | int] = {}
    for argument in action.arguments:
        value = values.get(argument.name, "")
        if not value:
            if argument.required:
                raise ActionError(f"{action.name}: argument {argument.name!r} is missing")
            continue
        checked[argument.name] = _value(action, argument, value)
    return checked


def _value(action: Action, argument: Argument, value: str) -> str | int:
    where = f"{action.name}: argument {argument.name!r}"
    if argument.kind in ("count", "seconds"):
        limit = MAX_COUNT if argument.kind == "count" else MAX_SECONDS
        if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= limit):
            raise ActionError(f"{where} must be a whole number from 1 to {limit}")
        return int(value)
    if argument.kind == "direction" and value not in DIRECTIONS:
        raise ActionError(f"{where} must be one of {', '.join(DIRECTIONS)}")
    if argument.kind == "emote" and value not in EMOTES:
        raise ActionError(f"{where} must be one of {', '.join(EMOTES)}")
    if len(value) > MAX_TEXT:
        raise ActionError(f"{where} is longer than {MAX_TEXT} characters")
    return value
