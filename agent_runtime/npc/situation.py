"""What a turn starts from: a line, the talk so far and the moment in the world come in; the `Situation` with
the facts for that line goes out. It asks nobody, and reads no clock."""

from __future__ import annotations

from collections.abc import Sequence

from agent_runtime.bridge.parts import Snapshot
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange
from agent_runtime.npc.turn import Situation
from agent_runtime.npc.world import facts_for
from agent_runtime.sections import Turn


def situation_of(
    persona: Persona,
    player: str,
    line: str,
    talk: Sequence[Exchange],
    snapshot: Snapshot,
    catalogue: Catalogue,
    limits: Turn,
) -> Situation:
    """`talk` is all that is remembered of this player, oldest first; `line` is already cleaned."""
    known = facts_known(persona, player, talk)
    facts = facts_for(line, known, snapshot, catalogue, limits.facts)
    return Situation(persona, player, line, latest(talk, limits), facts, snapshot, catalogue)


def latest(talk: Sequence[Exchange], limits: Turn) -> Sequence[Exchange]:
    """The end of a talk, as much of it as goes into a prompt."""
    return talk[-limits.history :] if limits.history else []
