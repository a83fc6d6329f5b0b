"""A prompt comes in; what it asks, and what tells it from other prompts, goes out."""

from __future__ import annotations

from collections.abc import Sequence

from agent_runtime.npc.prompt import AROUND, Message


def asked(messages: Sequence[Message]) -> str:
    """The latest message without the player's name: facts and line."""
    head, _, last = messages[-1].content.rpartition("\n")
    return f"{head}\n{last.partition(': ')[2]}"


def prompt_key(messages: Sequence[Message]) -> tuple[str, str]:
    """The same for prompts in which an NPC is asked the same line with the same facts that it names; what
    else is around, such as the time, who asks, and what was said before may differ."""
    rows = asked(messages).lower().split("\n")
    return messages[0].content, "\n".join(row for row in rows if not row.startswith(AROUND.lower()))
