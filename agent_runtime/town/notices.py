"""What an admin should know, said where they look: what does not fit comes in, words for that game server's
log go out. Sends nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from agent_runtime import __version__
from agent_runtime.bridge.messages import Hello, Notice
from agent_runtime.bridge.parts import NpcRecord
from agent_runtime.npc.persona import Persona

NAMED = 3
"""So many NPCs are named; of more than that only the number is told."""


def about_mod(hello: Hello) -> list[Notice]:
    """The mod in the world is not the one of this release: mostly the copy of before an upgrade."""
    if hello.mod == __version__:
        return []
    text = (
        f"the mod in this world is {hello.mod or 'of no version'} and the runtime is {__version__}: "
        "`townsfolk mod install --world WORLD` brings the mod that fits; then restart this server"
    )
    return [Notice("warning", text)]


def about_personas(npcs: Iterable[NpcRecord], personas: Mapping[str, Persona], stand_in: str) -> list[Notice]:
    """NPCs whose persona there is not, and which speak as the persona `stand_in`; one notice a persona."""
    lost: defaultdict[str, list[str]] = defaultdict(list)
    for npc in npcs:
        if npc.persona not in personas:
            lost[npc.persona].append(npc.name)
    return [
        Notice(
            "warning",
            f"there is no persona {persona!r}: {stand_in!r} speaks for {_some(names)}. Write {persona}.toml "
            "into the folder of personas and restart the runtime, or remove the NPC and spawn it as one of: "
            + ", ".join(sorted(personas)),
        )
        for persona, names in lost.items()
    ]


def about_journal(alarm: str | None) -> Notice:
    """The journal cannot be written, or can be again (None)."""
    if alarm is None:
        return Notice("info", "the runtime writes its journal again")
    text = "NPCs talk on, but ratings and choices about training have to wait"
    return Notice("warning", f"the runtime cannot write its journal ({alarm}): {text}")


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
