"""How many requests an engine takes at once: players are never turned away for the sake of others."""

from __future__ import annotations

from agent_runtime.engine.interface import Priority


def places(most: int) -> dict[Priority, int]:
    """At which number of requests one more is refused. Chatter leaves a quarter of `most` free, background
    work half."""
    return {
        Priority.PLAYER: most,
        Priority.CHATTER: max(1, most - most // 4),
        Priority.BACKGROUND: max(1, most - most // 2),
    }
