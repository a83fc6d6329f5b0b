"""Cases of a dataset with everything filled in; what a test cares about, it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agent_runtime.npc.prompt import Message
from learner.dataset.cases import Case
from tests.support.rows import START, ulid


def case(number: int, player: str = "p1", good: bool | None = True, **fields: Any) -> Case:
    """`line` and `facts` make up the last message; `minute` is when it was said and judged."""
    line, facts = fields.pop("line", f"line {number}"), fields.pop("facts", "")
    moment = START + timedelta(minutes=fields.pop("minute", number))
    return Case(
        **{
            "turn": ulid(number),
            "player": player,
            "persona": "mira",
            "version": 0,
            "said_at": moment,
            "at": moment,
            "messages": (
                Message("system", "You are Mira."),
                Message("user", f"{facts}alice: {line}"),
            ),
            "completion": f"reply {number}",
            "good": good,
            "clear": bool(good),
            **fields,
        }
    )
