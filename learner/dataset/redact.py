"""Texts of talk come in; the same texts without anything that points to a person go out.

Players' names become made-up names, always the same one for the same player: a tag such as PLAYER would be
learned and said. Coordinates, addresses, links and numbers to call become plain words for the same reason.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

from agent_runtime.journal.rows import TurnRow
from agent_runtime.npc.actions import ALIASES, DIRECTIONS, EMOTES, TABLE
from agent_runtime.npc.prompt import AROUND
from agent_runtime.npc.relevance import TAGS
from learner.dataset.addresses import without_addresses
from learner.dataset.ordinary import ordinary_words
from learner.dataset.people import bystanders, followed, speakers, things, townspeople

_BEGINNINGS = (
    "al",
    "be",
    "cor",
    "da",
    "el",
    "fa",
    "gro",
    "hal",
    "is",
    "jo",
    "ka",
    "lu",
    "mo",
    "ni",
    "or",
    "pe",
)
_MIDDLES = ("ba", "da", "ga", "la", "mi", "na", "ri", "sa", "ta", "ve", "wi", "zo", "ra", "lo", "mu", "ne")
_ENDINGS = (
    "n",
    "s",
    "ra",
    "lin",
    "mar",
    "nor",
    "th",
    "ra7",
    "k",
    "wen",
    "do",
    "_x",
    "rick",
    "la",
    "99",
    "gar",
)
# How those who are only near stand in facts and actions.
_STANDING = (
    r"{}(?= here\b| \d+ steps\b| \(player\))",
    *(rf"(?<=\b{before}){{}}" for before in ("following ", "walking to ", "target=", "target= ")),
)


def _any_of(words: Iterable[str]) -> str:
    """A pattern for one of these words, the longest that fits. By first letter, so that thousands of names
    are not tried at every word."""
    rests: defaultdict[str, list[str]] = defaultdict(list)
    for word in sorted(words, key=lambda word: (-len(word), word)):
        rests[word[:1]].append(re.escape(word[1:]))
    return "|".join(f"{re.escape(start)}(?:{'|'.join(rest)})" for start, rest in rests.items())


_TAG = rf"(?:{_any_of(TAGS)})\d*"
_KEYS = {argument.name for action in TABLE.values() for argument in action.arguments}
# What prompts and replies are written in is no name, whoever is called so: tags, actions and their keys.
_MARKUP = (
    rf"^{re.escape(AROUND)}",
    rf"\[\[?{_TAG}\]",
    rf"\[\[\s*ACTION\s*:\s*(?:(?:{_any_of([*TABLE, *ALIASES])})(?![\w-]))?",
    rf"\b(?:{_any_of(_KEYS)})=\s*(?:(?:{_TAG}|{_any_of([*DIRECTIONS, *EMOTES])})(?![\w-]))?",
    r" \((?:player|townsperson|mob)\)",
)


def stand_in(name: str, seed: int, taken: Collection[str] = ()) -> str:
    """A made-up player name: the same for the same name and seed, and none of those `taken` (lower case)."""
    for attempt in range(1000):
        digest = hashlib.sha256(f"{seed}:{attempt}:{name.lower()}".encode()).digest()
        parts = (_BEGINNINGS[digest[0] % 16], _MIDDLES[digest[1] % 16], _ENDINGS[digest[2] % 16])
        made = "".join(parts)
        if made not in taken:
            return made
    raise AssertionError("more players than made-up names")


class Redactor:
    """Knows the names of all players of a snapshot. `found` counts what was replaced, by kind.

    A name that is an ordinary word is replaced in its owner's own talk, and of those who are only near where
    a fact or an action names them: "how" is said by everybody."""

    def __init__(self, turns: Iterable[TurnRow], seed: int) -> None:
        self.found: Counter[str] = Counter()
        self._seed = seed
        names, goals, npcs, others = set[str](), set[str](), set[str](), set[str]()
        said = set[str]()
        for turn in turns:
            names |= speakers(turn) | bystanders(turn)
            goals |= followed(turn)
            npcs |= townspeople(turn)
            others |= things(turn)
            said.update(re.findall(r"[\w-]+", turn.line.lower()))
        self._taken = names | goals | npcs | said
        people = (names | (goals - others - ordinary_words())) - npcs
        self._ordinary = {name for name in people if len(name) <= 2 or name in ordinary_words()}
        self._names = people - self._ordinary

    def of(self, turn: TurnRow) -> Callable[[str], str]:
        """A function that redacts the texts of this turn."""
        own = speakers(turn) & self._ordinary
        near = (bystanders(turn) | followed(turn)) & self._ordinary
        pattern = _pattern(frozenset(self._names | own), frozenset(near - own))

        def redact(text: str) -> str:
            return pattern.sub(self._name, without_addresses(text, self.found))

        return redact

    def _name(self, match: re.Match[str]) -> str:
        name = match.group("name")
        if name is None:
            return match.group()
        self.found["name"] += 1
        return stand_in(name, self._seed, self._taken)


@lru_cache(256)
def _pattern(names: frozenset[str], standing: frozenset[str]) -> re.Pattern[str]:
    """Finds names, and others where somebody of that name stands, in the group `name`; and markup, which is
    no name."""
    found = [_alone(names)] if names else []
    found += [shape.replace("{}", _alone(standing)) for shape in _STANDING if standing]
    return re.compile("|".join((*_MARKUP, f"(?P<name>{'|'.join(found) or '(?!)'})")), re.I | re.M)


def _alone(names: Iterable[str]) -> str:
    return rf"(?<![^\W_])(?:{_any_of(names)})(?![^\W_])"
