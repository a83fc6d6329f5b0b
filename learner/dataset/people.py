"""A turn comes in; the players that it names go out, in lower case: who speaks, apart from who is only near.

Facts about who is around are read as `npc.world` and the game write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent_runtime.journal.rows import TurnRow

_NAME = r"[A-Za-z0-9_-]{1,20}"
_SPEAKER = re.compile(rf"^({_NAME}): ")
_TOLD = re.compile(
    r"\b(?:my (?:real )?name is|my name's|call me|i am called|i'm called|mein name ist|ich hei(?:ß|ss)e"
    r"|nenn(?:t)? mich)\s+([^\W\d_]{2,20})",
    re.I,
)
_NEAR = re.compile(rf"(?:^|, | and )({_NAME})(?= here\b| \d+ steps\b)")
_DOING = re.compile(rf"^(?:following|walking to) ({_NAME})$")


def speakers(turn: TurnRow) -> set[str]:
    """Who speaks to the NPC, and what they call themselves. Without a prompt the name is in a fact."""
    asked = [message.content for message in turn.prompt if message.role == "user"]
    spoken = (_SPEAKER.match(text.rpartition("\n")[2]) for text in asked)
    names = {match.group(1).lower() for match in spoken if match}
    names |= {value.lower() for value in _values(turn, "speaker")}
    return names | {name.lower() for text in asked for name in _TOLD.findall(text)}


def bystanders(turn: TurnRow) -> set[str]:
    """Who is near. Townspeople stand in the same fact and look like players: see `townspeople`."""
    near = {name.lower() for value in _values(turn, "near") for name in _NEAR.findall(value)}
    return near | _subjects(turn, "player")


def followed(turn: TurnRow) -> set[str]:
    """Whom or what the NPC follows or walks to: a player, or anything else that has a name."""
    found = (_DOING.match(value) for value in _values(turn, "state"))
    return {match.group(1).lower() for match in found if match}


def townspeople(turn: TurnRow) -> set[str]:
    """The NPC and others that a fact tells of."""
    return {turn.npc_name.lower()} | _subjects(turn, "npc")


def things(turn: TurnRow) -> set[str]:
    """Mobs and places that a fact tells of."""
    return _subjects(turn, "mob") | _subjects(turn, "place")


def _values(turn: TurnRow, source: str) -> Iterator[str]:
    return (fact.value for fact in turn.facts if fact.source == source)


def _subjects(turn: TurnRow, kind: str) -> set[str]:
    return {fact.subject.lower() for fact in turn.facts if fact.source.startswith(f"{kind}:")}
