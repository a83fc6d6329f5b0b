"""Who an NPC is: one TOML file per persona comes in, a checked `Persona` goes out.

Bad files raise `PersonaError` naming file and key; nothing is guessed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from agent_runtime.bridge.parts import PERSONA_ID
from agent_runtime.errors import PersonaError
from agent_runtime.npc.actions import TABLE

MAX_LINES = 24
MAX_TOLD = 200
MAX_TOPICS = 40
_NEEDED = ("late", "busy", "slow_down")
"""What the runtime itself has to say now and then."""


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the next token is drawn, and where a reply ends at the latest: after `max_tokens` tokens or
    `max_sentences` sentences (0: as many as the model likes). `temperature` 0 is greedy; `seed` 0 means a
    fresh one per turn."""

    temperature: float = 0.7
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int = 0
    max_tokens: int = 120
    max_sentences: int = 0


class Canned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines the mod speaks without the model: the link is down, the engine is late, or a limit holds."""

    greeting: tuple[str, ...] = ("Hello.",)
    offline: tuple[str, ...] = ("I cannot gather my thoughts just now.",)
    late: tuple[str, ...] = ("Hm. Ask me that once more?",)
    busy: tuple[str, ...] = ("One moment, somebody else was first.",)
    slow_down: tuple[str, ...] = ("Slowly, please. One thing at a time.",)
    idle: tuple[str, ...] = ()


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One character. `voice` is a style the embedded base was trained on; `about` is free text that
    larger models make more of. `fear`, `love`, `origin` and what it `knows` (a sentence by topic) become
    facts when a line asks for them. `inventory` maps itemstrings to how many a new NPC carries. `adapter` is
    a LoRA for the base that answers in the champion's place; in the file, its path from there."""

    id: str
    name: str
    role: str
    voice: str
    about: str
    fear: str = ""
    love: str = ""
    origin: str = ""
    knows: dict[str, str] = {}
    capabilities: tuple[str, ...] = ("follow", "stop", "go_to", "look_at", "emote", "give")
    inventory: dict[str, int] = {}
    adapter: Path | None = None
    canned: Canned = Canned()
    sampling: Sampling = Sampling()


def load_persona(path: Path) -> Persona:
    """Read one persona file. Raises `PersonaError`."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        persona = msgspec.convert({"id": path.stem, **raw}, Persona, dec_hook=_path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PersonaError(f"{path}: {error}") from error
    problem = _problem(persona)
    if problem:
        raise PersonaError(f"{path}: {problem}")
    if persona.adapter:
        # Whether it can serve is the engine's to say: without it the champion answers.
        persona = msgspec.structs.replace(persona, adapter=path.parent / persona.adapter.expanduser())
    return persona


def load_personas(*folders: Path) -> dict[str, Persona]:
    """All personas of the folders by id; a later folder's file replaces an earlier one's of that name."""
    found: dict[str, Persona] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            persona = load_persona(path)
            found[persona.id] = persona
    return found


def _problem(persona: Persona) -> str | None:
    if not re.fullmatch(PERSONA_ID, persona.id):  # no game server could spawn it
        return f"{persona.id!r} cannot be an id: name the file with 1 to 40 of a-z, 0-9, _ and -"
    unknown = [name for name in persona.capabilities if name not in TABLE]
    if unknown:
        return f"capabilities: unknown action {unknown[0]!r}"
    for key in ("name", "role", "voice", "about"):
        text = getattr(persona, key)
        if not text.strip() or "\n" in text or len(text) > 400:
            return f"{key}: must be one line of 1 to 400 characters"
    told = {key: getattr(persona, key) for key in ("fear", "love", "origin") if getattr(persona, key)}
    told |= {f"knows.{topic}": sentence for topic, sentence in persona.knows.items()}
    for key, text in told.items():
        if not text.strip() or "\n" in text or len(text) > MAX_TOLD:
            return f"{key}: must be one line of 1 to {MAX_TOLD} characters"
    if len(persona.knows) > MAX_TOPICS or any(not 0 < len(topic) <= 60 for topic in persona.knows):
        return f"knows: at most {MAX_TOPICS} topics of 1 to 60 characters"
    for key in Canned.__struct_fields__:
        lines = getattr(persona.canned, key)
        if not lines and key in _NEEDED:
            return f"canned.{key}: wants a line at least; without the key there are built-in ones"
        if len(lines) > MAX_LINES or any(not line.strip() or len(line) > 300 for line in lines):
            return f"canned.{key}: at most {MAX_LINES} lines of 1 to 300 characters"
    sampling = persona.sampling
    if not (0 <= sampling.temperature <= 2 and 0 < sampling.top_p <= 1 and 0 <= sampling.min_p < 1):
        return "sampling: temperature 0–2, top_p above 0 up to 1, min_p 0 to below 1"
    if not (1 <= sampling.max_tokens <= 1000 and 0.5 <= sampling.repeat_penalty <= 2 and sampling.seed >= 0):
        return "sampling: max_tokens 1–1000, repeat_penalty 0.5–2, seed 0 or more"
    if not 0 <= sampling.max_sentences <= 20:
        return "sampling: max_sentences 0–20, 0 for no limit"
    if persona.adapter is not None and not persona.adapter.name:
        return "adapter: must name a file"
    return None


def _path(kind: type, value: Any) -> Any:
    return kind(value)
