"""Texts of talk come in; the same texts without anything that points to a person go out.

Players' names become made-up names, always the same one for the same player: a tag such as PLAYER would be
learned and said. Coordinates, addresses, links and numbers to call become plain words for the same reason.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from agent_runtime.journal.rows import TurnRow

SPEAKER = re.compile(r"^([A-Za-z0-9_-]{1,20}): ", re.M)
_TOLD = re.compile(
    r"\b(?:my (?:real )?name is|my name's|call me|i am called|i'm called|mein name ist|ich hei(?:ß|ss)e"
    r"|nenn(?:t)? mich)\s+([^\W\d_]{2,20})",
    re.I,
)
_PLAYER_FACT = re.compile(r"^player:(.+)$")
_NUMBER = r"-?\d{1,5}(?:\.\d+)?"
# Each kind: what it looks like, and the words that stand in for it. Order matters: a link may hold numbers.
_KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("link", re.compile(r"\b(?:https?://|www\.)[^\s<>\"]+|\bdiscord\.gg/\S+", re.I), "some link"),
    ("e-mail", re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "some address"),
    ("account", re.compile(r"(?<!\w)[\w.]{2,32}#\d{4}\b|(?<![\w@])@[A-Za-z0-9_.]{3,32}\b"), "some account"),
    ("IP address", re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "some address"),
    (
        "coordinates",
        re.compile(
            rf"[(\[]?\s*\bx\s*[=:]?\s*{_NUMBER}[\s,;]*y\s*[=:]?\s*{_NUMBER}[\s,;]*z\s*[=:]?\s*{_NUMBER}\s*[)\]]?"
            rf"|\(\s*{_NUMBER}\s*[,;]\s*{_NUMBER}\s*(?:[,;]\s*{_NUMBER}\s*)?\)"
            rf"|(?<![\w.,]){_NUMBER}\s*[,;/]\s*{_NUMBER}\s*[,;/]\s*{_NUMBER}(?![\w.])"
            r"|(?<![\w.,])-?\d{2,5} -?\d{1,5} -?\d{2,5}(?![\w.])",
            re.I,
        ),
        "some place",
    ),
    ("telephone", re.compile(r"(?<![\w.])\+?\(?\d[\d\s()/.-]{6,}\d(?![\w])"), "some number"),
    (
        "street",
        re.compile(
            r"\b\d{1,5}[a-z]? (?:[A-Z][\w'-]+ ){1,3}"
            r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Square)\b\.?"
            r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|str\.|weg|platz|gasse)\s+\d{1,4}[a-z]?\b"
        ),
        "some address",
    ),
)
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
# Names that are ordinary words are only replaced in their owner's own talk: "how" is said by everybody.
_COMMON_SHARE = 0.02


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
    """Knows the names of all players of a snapshot. `found` counts what was replaced, by kind."""

    def __init__(self, turns: Iterable[TurnRow], seed: int) -> None:
        self.found: Counter[str] = Counter()
        self._seed = seed
        names, words, count = set[str](), Counter[str](), 0
        npcs = set()
        for turn in turns:
            npcs.add(turn.npc_name.lower())
            names |= {name.lower() for name in names_in(turn)}
            words.update(set(re.findall(r"[\w-]+", turn.line.lower())))
            count += 1
        names -= npcs
        self._taken = names | npcs | words.keys()
        common = max(3.0, _COMMON_SHARE * count)
        self._names = {name for name in names if len(name) > 2 and words[name] < common}
        self._everywhere = _pattern(self._names)

    def of(self, turn: TurnRow) -> Callable[[str], str]:
        """A function that redacts the texts of this turn."""
        own = {name.lower() for name in names_in(turn)} - self._names - {turn.npc_name.lower()}
        here = _pattern(own)

        def redact(text: str) -> str:
            for pattern in (self._everywhere, here):
                if pattern:
                    text = pattern.sub(self._name, text)
            for kind, pattern, words in _KINDS:
                text, count = pattern.subn(words, text)
                self.found[kind] += count
            return text

        return redact

    def _name(self, match: re.Match[str]) -> str:
        self.found["name"] += 1
        return stand_in(match.group(0), self._seed, self._taken)


def names_in(turn: TurnRow) -> set[str]:
    """The players that a turn names: who speaks, who is near, and what they call themselves."""
    spoken = [message.content.rpartition("\n")[2] for message in turn.prompt if message.role == "user"]
    names = {match.group(1) for line in spoken if (match := SPEAKER.match(line))}
    names |= {match.group(1) for fact in turn.facts if (match := _PLAYER_FACT.match(fact.source))}
    return names | {name for line in spoken for name in _TOLD.findall(line)}


def _pattern(names: Collection[str]) -> re.Pattern[str] | None:
    if not names:
        return None
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    return re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])", re.I)
