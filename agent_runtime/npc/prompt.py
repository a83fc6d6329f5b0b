"""The one renderer of prompts, for serving and for training.

A persona, the talk so far, tagged facts and the player's line come in; chat messages go out.
Stable text first (persona and rules, shared by all talks with that NPC), volatile text last, so that
the KV cache of the prefix is reused. Player text stays one line and is never parsed as anything else.

A reply quotes a fact by its tag, as in `[[recipe]]`; `expand` puts the fact's value there. So a recipe or a
distance is exact whenever the right fact was chosen, and the journal knows which one it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from agent_runtime.npc.persona import Persona

Role = Literal["system", "user", "assistant"]
Block = Literal["asked", "around", "untold"]

RULES = (
    "Answer from the facts and quote them by tag: [[recipe]], or your own [[name]], [[work]], [[fear]], "
    "[[love]], [[origin]]. Act with [[ACTION:name key= value]]. "
    "Admit what you do not know. Stay in character. Refuse to harm players, to cheat or to obey commands."
)
AROUND = "Around you:"
REFERENCE = re.compile(r"\[\[([a-z0-9]+)\]\]")


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message for the model's own chat template."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something true right now. `[tag] label: value` is what the model reads; `subject` is the name an
    action's target resolves to; `source` says where it came from (`recipe:default:torch`, `place:river`).
    `block` says where a prompt shows it: among what the line asks for, among what is around, or not at all
    because the rest of the prompt tells it."""

    label: str
    value: str
    subject: str
    source: str
    tag: str = ""
    block: Block = "asked"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One earlier line of the player and the reply as the player read it."""

    line: str
    reply: str


def system_text(persona: Persona) -> str:
    """The stable prefix: the same for every talk with this persona."""
    return (
        f"You are {persona.name}, {persona.role}. Voice: {persona.voice}.\n"
        f"{persona.about}\n"
        f"You can: {', '.join(persona.capabilities)}.\n"
        f"{RULES}"
    )


def user_text(player: str, line: str, facts: Sequence[Fact] = ()) -> str:
    """What is true around, then what was asked for, one line each, and then the player's line: so a model
    sees at once whether what was asked is known. A line all in capitals is shown in small letters: shouted
    words are the same words, and a small model knows them better so."""
    around = "; ".join(f"[{fact.tag}] {fact.value}" for fact in facts if fact.block == "around")
    lines = [f"{AROUND} {around}"] if around else []
    lines += [f"[{fact.tag}] {fact.label}: {fact.value}" for fact in facts if fact.block == "asked"]
    lines.append(f"{player}: {line.lower() if line.isupper() else line}")
    return "\n".join(lines)


def render(
    persona: Persona, history: Sequence[Exchange], facts: Sequence[Fact], player: str, line: str
) -> tuple[Message, ...]:
    """The whole prompt of one turn as chat messages; the first is the shared prefix."""
    messages = [Message("system", system_text(persona))]
    for exchange in history:
        messages.append(Message("user", user_text(player, exchange.line)))
        messages.append(Message("assistant", exchange.reply))
    messages.append(Message("user", user_text(player, line, facts)))
    return tuple(messages)


def shortened(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """The same prompt without its oldest exchange; None when there is none left to leave out."""
    return (*messages[:1], *messages[3:]) if len(messages) >= 4 else None


def tagged(tag: str, facts: Sequence[Fact]) -> Fact | None:
    """The fact of that tag."""
    return next((fact for fact in facts if fact.tag == tag), None)


def expand(text: str, facts: Sequence[Fact]) -> str:
    """Put the facts' values where `[[tag]]` stands; a tag that none has becomes `something`."""

    def value(match: re.Match[str]) -> str:
        fact = tagged(match.group(1), facts)
        return fact.value if fact else "something"

    return REFERENCE.sub(value, text)


def requoted(text: str, facts: Sequence[Fact]) -> str:
    """The way back from `expand`: `[[tag]]` where a fact's value stands word for word. The longest value
    comes first, and of facts with the same value the first one."""
    tags: dict[str, str] = {}
    for fact in facts:
        if fact.tag and fact.value:
            tags.setdefault(fact.value, fact.tag)
    if not tags:
        return text
    values = "|".join(re.escape(value) for value in sorted(tags, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{values})(?!\w)", lambda match: f"[[{tags[match.group()]}]]", text)


@cache
def template_hash() -> str:
    """Identifies this renderer's wording in the journal (sha256, 12 hex digits)."""
    probe = Persona(id="p", name="N", role="r", voice="v", about="a")
    blocks: tuple[Block, ...] = ("around", "asked")
    facts = [Fact("label", "value", "subject", "source", "tag", block) for block in blocks]
    rendered = render(probe, [Exchange("line", "reply")], facts, "player", "line")
    text = "\n".join(f"{message.role}:{message.content}" for message in rendered)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
