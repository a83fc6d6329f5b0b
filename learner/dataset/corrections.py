"""What a player would rather have heard comes in, as they read replies; the same in the model's own wording
goes out: facts quoted by tag, actions kept. Nothing that a player typed ever becomes an action.
"""

from __future__ import annotations

import re

from agent_runtime.errors import ActionError
from agent_runtime.journal.rows import TurnRow
from agent_runtime.npc.actions import parse_proposal
from agent_runtime.npc.prompt import Fact, requoted
from agent_runtime.npc.relevance import split_words

KEPT = 0.5
"""A correction that leaves so much of the words that were said is of the words alone: the action stays."""
_ACTION = re.compile(r"\[\[\s*ACTION\s*:([^\[\]]*)\]\]", re.I)


def problem(text: str, turn: TurnRow) -> str | None:
    """Why nothing can be learned from this correction, or None.

    Whether other words for a reply that acted still want the action, nobody knows: taught without it, the
    model unlearns to act, and taught with it, it acts unasked."""
    if "[[" in text:
        return "markup in a correction"
    if _actions(turn) and not _keeps_words(text, turn.reply):
        return "other words for a reply that acted"
    return None


def in_own_words(text: str, turn: TurnRow) -> str:
    """How the model would have to write it: what stands before the words of the turn's reply stays before
    them, every other action follows."""
    actions = _actions(turn)
    before = [mark for mark, leads in actions if leads]
    after = [mark for mark, leads in actions if not leads]
    return " ".join([*before, requoted(text, _facts(turn)), *after])


def _facts(turn: TurnRow) -> list[Fact]:
    """The facts that a correction may quote, those of the reply first: of the others, a single word such as
    `nothing` may stand there by chance."""
    quoted = [fact for number, fact in enumerate(turn.facts, 1) if number in turn.quoted]
    return quoted + [fact for fact in turn.facts if fact not in quoted and " " in fact.value]


def _actions(turn: TurnRow) -> list[tuple[str, bool]]:
    """The reply's actions that can be read, each with whether it came before any word. A flagged reply has
    none worth keeping."""
    found = []
    for match in _ACTION.finditer("" if turn.flagged else turn.raw):
        try:
            parse_proposal(match.group(1))
        except ActionError:
            continue
        found.append((match.group(), not _ACTION.sub("", turn.raw[: match.start()]).strip()))
    return found


def _keeps_words(text: str, said: str) -> bool:
    before, now = set(split_words(said)), set(split_words(text))
    return len(before & now) >= KEPT * len(before)
