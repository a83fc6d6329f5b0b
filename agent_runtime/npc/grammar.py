"""The table of actions comes in; the grammar that an emitted action must keep to goes out.

It wakes on `[[ACTION:` and ends with `]]`: whatever the model says in between, `parse_proposal` reads it.
Names, gestures and directions are those of the table; what a target or an item may be is for `policy`.
"""

from __future__ import annotations

import json
from functools import cache

from agent_runtime.engine.interface import Grammar
from agent_runtime.npc.actions import DIRECTIONS, EMOTES, MAX_TEXT, TABLE, Action, ArgumentKind

BEGIN, END = "[[ACTION:", "]]"

# One rule for each kind of argument. MAX_COUNT is 99, MAX_SECONDS 600.
_KINDS: dict[ArgumentKind, str] = {
    "target": "words",
    "item": "words",
    "text": "words",
    "count": "[1-9] [0-9]?",
    "seconds": '[1-9] [0-9]? | [1-5] [0-9] [0-9] | "600"',
    "direction": " | ".join(map(json.dumps, DIRECTIONS)),
    "emote": " | ".join(map(json.dumps, EMOTES)),
}


@cache
def action_grammar() -> Grammar:
    """The grammar of one action, as GBNF."""
    rules = [
        # Tokens may hold more than the mark's own letters, on either side.
        f"root ::= [^\\[]* {json.dumps(BEGIN)} call {json.dumps(END)} .*",
        f"call ::= {' | '.join(map(_rule, TABLE))}",
        *(f"{_rule(action.name)} ::= {_call(action)}" for action in TABLE.values()),
        *(f"{kind} ::= {body}" for kind, body in _KINDS.items()),
        # A broken character, of up to four bytes, is read as that many.
        f"words ::= [^\\x00- \\[\\]=] [^\\x00-\\x1f\\[\\]=]{{0,{MAX_TEXT // 4 - 1}}}",
    ]
    return Grammar("\n".join(rules), BEGIN, END)


def _rule(name: str) -> str:
    return f"do-{name.replace('_', '-')}"


def _call(action: Action) -> str:
    parts = [json.dumps(action.name)]
    for argument in action.arguments:
        part = f"{json.dumps(f' {argument.name}= ')} {argument.kind}"
        parts.append(part if argument.required else f"({part})?")
    return " ".join(parts)
