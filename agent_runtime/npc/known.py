"""What an NPC knows beyond the world around it: its persona, the player and the talk so far come in;
facts about itself, its town and what was said go out. What a line asks of them is `relevance`'s choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange, Fact
from agent_runtime.npc.relevance import split_words

MAX_QUOTE = 100
_ENGLISH = ("i", "i'm", "im", "my", "mine", "me", "we", "our", "us", "call")
_GERMAN = ("ich", "mich", "mir", "mein", "meine", "meinen", "wir", "uns", "unser")
ABOUT_ONESELF = frozenset([*_ENGLISH, *_GERMAN])
"""English and German words by which players speak about themselves."""


def facts_known(persona: Persona, player: str, talk: Sequence[Exchange]) -> list[Fact]:
    """Everything that could be told; `talk` is all that is remembered, oldest first."""
    return [*of_itself(persona), *of_the_talk(player, talk)]


def of_itself(persona: Persona) -> list[Fact]:
    """Who the NPC is, and the matters of its town."""
    facts = [Fact("you", persona.name, persona.name, "self"), Fact("you", persona.role, persona.role, "work")]
    told = (("fear", persona.fear), ("love", persona.love), ("origin", persona.origin))
    facts += [Fact("you", value, value, source) for source, value in told if value]
    facts += [Fact(topic, value, topic, f"knows:{topic}") for topic, value in persona.knows.items()]
    return facts


def of_the_talk(player: str, talk: Sequence[Exchange]) -> list[Fact]:
    """The player's name, what was said last on both sides, and what players told about themselves, the
    latest first."""
    facts = [Fact("player", player, player, "speaker")]
    if talk:
        facts.append(Fact("player", quote(talk[-1].line), "player", "last line"))
        facts.append(Fact("you", quote(talk[-1].reply), "you", "last reply"))
    told = list(dict.fromkeys(exchange.line for exchange in reversed(talk) if tells(exchange.line)))
    facts += [
        Fact("by the player", quote(line), "player", f"said:{number}") for number, line in enumerate(told, 1)
    ]
    return facts


def tells(line: str) -> bool:
    """Whether a line is something a player says about themselves, and not a question."""
    return "?" not in line and not ABOUT_ONESELF.isdisjoint(split_words(line))


def quote(text: str) -> str:
    """Words to repeat, not too many."""
    return text if len(text) <= MAX_QUOTE else f"{text[:MAX_QUOTE].rsplit(' ', 1)[0]} ..."
