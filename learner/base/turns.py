"""What every kind of turn shares: a scene comes in; wordings, voiced replies and checks go out."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from agent_runtime.npc.prompt import Fact
from learner.base.grammar import ENGLISH, GERMAN, load, seen, spell, texts, unseen
from learner.base.names import an, capital, plural
from learner.base.scene import Scene

COMMON = 10
PLAIN_LETTERS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Turn:
    """A player's line, the reply the model should learn, and what a checker may ask of any reply.

    The reply's tags are those of `facts`; before `corpus.as_served` has chosen these, of the scene's."""

    slice: str
    line: str
    reply: str
    check: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()


def ask(scene: Scene, file: str, key: str, slots: Mapping[str, str] | None = None) -> str:
    """A player's wording from one of the files of lines."""
    return wording(scene, texts(file, scene.language)[key], slots)


def has(scene: Scene, file: str, key: str) -> bool:
    """Whether the scene's language has wordings for it; English has them for everything."""
    return key in texts(file, scene.language)


def the(scene: Scene, name: str) -> str:
    """A name with its article; without one in German, where nobody knows the name's gender."""
    return f"the {name}" if scene.language == ENGLISH else name


def wording(scene: Scene, patterns: Sequence[str], slots: Mapping[str, str] | None = None) -> str:
    """One of the patterns that this scene may use. The first of a list are the ones players type most."""
    chosen = unseen(patterns) if scene.new_wordings else seen(patterns)
    weights = [1 / (COMMON + place) for place in range(len(chosen))]
    (pattern,) = scene.rng.choices(chosen, weights)
    return spell(pattern, scene.rng, {"npc": scene.persona.name, **(slots or {})})


def answer(scene: Scene, key: str, slots: Mapping[str, str] | None = None) -> str:
    """A plain reply without any voice."""
    lines = texts("replies", scene.language)[key]
    return spell(scene.rng.choice(lines), scene.rng, speech_slots(scene, slots))


def voiced(scene: Scene, key: str, slots: Mapping[str, str] | None = None) -> str:
    """A reply that only this voice gives."""
    return spell(scene.rng.choice(scene.voice[key]), scene.rng, speech_slots(scene, slots))


def speech_slots(scene: Scene, slots: Mapping[str, str] | None) -> dict[str, str]:
    """The slots every reply may use."""
    return {
        "npc": scene.persona.name,
        "role": scene.persona.role,
        "player": scene.told_name or scene.player,
        **(slots or {}),
    }


def dress(scene: Scene, core: str) -> str:
    """Put the voice around a plain reply, most of the time on one side only."""
    rng = scene.rng
    roll = rng.random()
    opener = rng.choice(scene.voice["openers"]) + " " if roll < 0.6 else ""
    closer = " " + rng.choice(scene.voice["closers"]) if roll > 0.5 else ""
    if opener and opener[-2] not in ".!?" and core.split(" ")[0].rstrip(",.?!:") in _ordinary_openings():
        core = core[:1].lower() + core[1:]
    return f"{opener}{core}{closer}"


@cache
def _ordinary_openings() -> frozenset[str]:
    """First words of plain replies that lose their capital inside a sentence; names never do."""
    firsts = (re.match(r"[(]?([A-Z][a-z]*)\b", line) for lines in load("replies").values() for line in lines)
    return frozenset({match.group(1) for match in firsts if match} | {"A", "An"}) - {"I"}


def item_slots(item: str) -> dict[str, str]:
    """An item's name in the forms wordings use."""
    return {
        "item": item,
        "Item": capital(item),
        "an_item": an(item),
        "An_item": capital(an(item)),
        "items": plural(item),
        "Items": capital(plural(item)),
    }


def act(scene: Scene, words: str, action: str, **arguments: str | int | None) -> str:
    """The reply with its action: mostly spoken first, because the first sentence is what the player hears."""
    given = "".join(f" {key}= {value}" for key, value in arguments.items() if value is not None)
    tag = f"[[ACTION:{action}{given}]]"
    roll = scene.rng.random()
    return f"{tag} {words}" if roll < 0.06 else f"{words} {tag}"


def typed(scene: Scene, line: str, plain: bool = False) -> str:
    """The line as a hurried player types it: names, case, dots and typos as they come."""
    rng = scene.rng
    habits = texts("leads", scene.language)
    npc = scene.persona.name
    if scene.language == GERMAN and rng.random() < 0.25:
        line = line.translate(PLAIN_LETTERS)
    named = npc.lower() in line.lower()
    roll = rng.random()
    if not named and roll < 0.16:
        npc = npc if rng.random() < 0.5 else npc.lower()
        line = rng.choice(
            (f"{npc}, {line}", f"{npc} {line}", f"hey {npc}, {line}", f"{npc}! {line}", f"hi {npc}, {line}")
        )
    elif not named and roll < 0.22:
        line = (
            f"{line.rstrip('?!.')}, {npc if rng.random() < 0.5 else npc.lower()}{rng.choice(('', '?', '!'))}"
        )
    elif roll < 0.29:
        line = f"{rng.choice(habits['fillers'])}{rng.choice((',', ''))} {line}"
    if plain:
        return line
    if rng.random() < 0.15:
        line = " ".join(word for word in line.split(" ") if word not in habits["small"] or rng.random() < 0.6)
    if rng.random() < 0.06:
        line = f"{rng.choice(habits['leads'])}{rng.choice(habits['joints'])}{line}"
    if rng.random() < 0.05:
        line = f"{line}{rng.choice((' ', ', ', '. '))}{rng.choice(habits['tails'])}"
    roll = rng.random()
    if roll < 0.3:
        line = line[:1].upper() + line[1:]
    elif roll < 0.33:
        line = line.upper()
    elif roll < 0.6:
        line = line.lower()
    if rng.random() < 0.35:
        line = line.rstrip("?.!")
    elif rng.random() < 0.1:
        line += rng.choice(("?", "!", "??", "...", " :)", " pls", "."))
    return mistype(line, rng) if rng.random() < 0.1 else line


def mistype(line: str, rng: random.Random) -> str:
    """One small slip of the fingers."""
    if len(line) < 6:
        return line
    at = rng.randrange(1, len(line) - 1)
    return rng.choice(
        (
            line[:at] + line[at + 1 :],
            line[:at] + line[at + 1] + line[at] + line[at + 2 :],
            line[:at] + line[at] + line[at:],
        )
    )
