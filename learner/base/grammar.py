"""Small grammars of wordings: a pattern and slot values come in, one sentence goes out.

`(a|b|)` picks an alternative, `{name}` is filled in afterwards (so slot values may hold anything),
and a leading `~` marks a wording that only the evaluation may use.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).with_name("texts")
ENGLISH, GERMAN = "en", "de"

Node = str | tuple["Sequence[Node]", ...]

_SLOT = re.compile(r"\{(\w+)\}")
_SPACE_BEFORE = re.compile(r" +([,.!?])")


@cache
def parse(pattern: str) -> tuple[Node, ...]:
    """The pattern as literal strings and tuples of alternatives. Raises `ValueError` for open brackets."""
    nodes, end = _sequence(pattern, 0, top=True)
    if end != len(pattern):
        raise ValueError(f"unbalanced brackets in {pattern!r}")
    return tuple(nodes)


def _sequence(text: str, at: int, top: bool = False) -> tuple[list[Node], int]:
    nodes: list[Node] = []
    literal = ""
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            literal += text[at + 1]
            at += 2
        elif char == "(":
            if literal:
                nodes.append(literal)
                literal = ""
            alternatives, at = _alternatives(text, at + 1)
            nodes.append(tuple(alternatives))
        elif char in "|)" and not top:
            break
        else:
            literal += char
            at += 1
    if literal:
        nodes.append(literal)
    return nodes, at


def _alternatives(text: str, at: int) -> tuple[list[list[Node]], int]:
    found: list[list[Node]] = []
    while True:
        nodes, at = _sequence(text, at)
        found.append(nodes)
        if at >= len(text):
            raise ValueError(f"unbalanced brackets in {text!r}")
        at += 1
        if text[at - 1] == ")":
            return found, at


def _walk(nodes: Sequence[Node], rng: random.Random) -> str:
    return "".join(node if isinstance(node, str) else _walk(rng.choice(node), rng) for node in nodes)


def spell(pattern: str, rng: random.Random, slots: Mapping[str, str]) -> str:
    """One sentence of the pattern. Raises `KeyError` for a slot without a value."""
    text = _walk(parse(pattern.removeprefix("~")), rng)
    text = _SPACE_BEFORE.sub(r"\1", " ".join(text.split(" "))).replace("  ", " ").strip()
    return _SLOT.sub(lambda match: slots[match.group(1)], text)


def seen(patterns: Sequence[str]) -> list[str]:
    """The wordings that training may use."""
    return [pattern for pattern in patterns if not pattern.startswith("~")]


def unseen(patterns: Sequence[str]) -> list[str]:
    """The wordings kept for the evaluation; all of them when none are kept."""
    return [pattern for pattern in patterns if pattern.startswith("~")] or list(patterns)


@cache
def load(name: str) -> dict[str, list[str]]:
    """A file of patterns by key. A key set twice is a TOML error."""
    with (TEXTS / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def load_tables(name: str) -> dict[str, dict[str, list[str]]]:
    """A file whose tables hold lists by key."""
    with (TEXTS / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


def texts(name: str, language: str) -> dict[str, list[str]]:
    """A file of patterns in that language: English is in `texts/` itself, another in a folder there."""
    return load(name if language == ENGLISH else f"{language}/{name}")


@cache
def voices(language: str = ENGLISH) -> dict[str, dict[str, list[str]]]:
    """All voices by name, each with its openers, closers and lines by occasion. In English each has lines and
    an address of its own; in other languages they share the lines."""
    if language == ENGLISH:
        return {path.stem: load(f"voices/{path.stem}") for path in sorted((TEXTS / "voices").glob("*.toml"))}
    tables = load_tables(f"{language}/voices")
    return {name: {**tables["common"], **frame} for name, frame in tables.items() if name != "common"}
