"""Whether a proposed action may happen: a pure function of the proposal, the persona's capabilities,
the facts and the snapshot. The mod checks again in the world before it does anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_runtime.bridge.parts import Snapshot
from agent_runtime.npc.actions import TABLE, Proposal
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Fact, tagged

FREEZE_SECONDS = 5.0
_SPEAKER = frozenset({"me", "you", "speaker", "player"})


@dataclass(frozen=True, slots=True)
class Allowed:
    """May happen, with every name resolved: targets are names in the world, items are itemstrings."""

    name: str
    arguments: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Refused:
    """May not happen. A `violation` is something this NPC must never try: it freezes the NPC and
    flags the turn; the rest (nobody of that name, nothing to give) is only impossible."""

    name: str
    arguments: Mapping[str, str | int]
    reason: str
    violation: bool


Verdict = Allowed | Refused


def judge(
    proposal: Proposal,
    persona: Persona,
    player: str,
    snapshot: Snapshot,
    facts: Sequence[Fact],
    catalogue: Catalogue,
) -> Verdict:
    """Allow or refuse one proposal made in answer to `player`."""
    action = TABLE[proposal.name]

    def refused(reason: str, violation: bool = False) -> Refused:
        return Refused(proposal.name, proposal.arguments, reason, violation)

    if action.name not in persona.capabilities:
        return refused(f"{persona.name} may not {action.name}", violation=True)
    if not action.executed:
        return refused(f"{action.name} cannot be done yet")
    arguments = dict(proposal.arguments)
    takes_target = any(argument.kind == "target" for argument in action.arguments)
    if takes_target:
        wanted = _named(str(arguments.get("target", player)), facts)
        found = _target(wanted, player, snapshot)
        if found is None:
            return refused(f"nobody and nothing called {wanted!r} is near")
        target, distance = found
        if distance > action.reach:
            return refused(f"{target} is {round(distance)} nodes away; the limit is {action.reach}")
        arguments["target"] = target
    if "item" in arguments:
        wanted = _named(str(arguments["item"]), facts)
        item = _item(wanted, snapshot, catalogue)
        carried = sum(stack.count for stack in snapshot.inventory if stack.item == item)
        count = int(arguments.get("count", 1))
        if carried < count:
            return refused(f"carries {carried} of {item}, not {count}")
        arguments["item"] = item
        arguments["count"] = count
    return Allowed(action.name, arguments)


def _named(value: str, facts: Sequence[Fact]) -> str:
    """A tag stands for the subject of that fact."""
    fact = tagged(value, facts)
    return fact.subject if fact else value


def _item(wanted: str, snapshot: Snapshot, catalogue: Catalogue) -> str:
    """The itemstring that is meant: of items that players call the same, one that is carried."""
    found = catalogue.find(wanted) or wanted
    carried = [stack.item for stack in snapshot.inventory]
    if found == wanted or found in carried:
        return found
    called = catalogue.name_of(found)
    return next((item for item in carried if catalogue.name_of(item) == called), found)


def _target(wanted: str, player: str, snapshot: Snapshot) -> tuple[str, float] | None:
    """The name in the world and the distance in nodes from the NPC; the nearest of equal names."""
    if wanted.lower() in _SPEAKER or wanted.lower() == player.lower():
        return player, _distance(snapshot)
    matching = [near for near in snapshot.near if near.name.lower() == wanted.lower()]
    if not matching:
        return None
    nearest = min(matching, key=lambda near: near.distance)
    return nearest.name, nearest.distance


def _distance(snapshot: Snapshot) -> float:
    npc, player = snapshot.npc_pos, snapshot.player_pos
    return float(((npc.x - player.x) ** 2 + (npc.y - player.y) ** 2 + (npc.z - player.z) ** 2) ** 0.5)
