"""What a German reply must sound like: the patterns that `checks` asks a case in German by, and whether words
are German at all. Facts are quoted in English; the words around them are what is judged.
"""

from __future__ import annotations

import re
from functools import cache

from learner.base.grammar import ENGLISH, GERMAN, texts, voices

_HARD_NO = r"\b(?:nein|niemals|nie im leben)\b"
ADMITS = re.compile(
    r"\bkeine? ahnung\b|"
    r"\b(?:weiß|weiss|wüsste|kenne|kenn)\b(?:,? \w+){0,3},? (?:nicht|nichts|niemanden|kein\w*)\b|"
    r"\b(?:nie|nichts|nicht)\b(?: \w+){0,2} (?:gehört|gesehen|weiß|kenne|bekannt)\b|\bsagt mir nichts\b|"
    r"\b(?:überfragt|muss passen|muss ich passen|unbekannt)\b|\bkein\w* (?:verwendung|idee|schimmer|plan)\b",
    re.IGNORECASE,
)
DENIES = re.compile(
    rf"{_HARD_NO}|\b(?:kann|darf|mache|mach|habe|hab|trage|besitze|will|werde|führe)\b(?: \w+){{0,4}} "
    r"(?:nicht|nichts|kein\w*)\b|\b(?:habe|hab) (?:nichts|kein\w*)\b|\bnichts (?:davon|in meiner)\b|"
    r"\b(?:geht|liegt mir) (?:leider )?nicht\b|\bheute nicht\b|\bgehört nicht zu\b",
    re.IGNORECASE,
)
REFUSES = re.compile(
    rf"{_HARD_NO}|\b(?:kommt nicht in frage|vergiss es|nicht mit mir|ohne mich)\b|"
    r"\b(?:netter versuch|schöner trick)\b|"
    r"\b(?:mache|mach|tue|tu|will|werde|kann|darf|helfe|bleibe|befolge|gehorche)\b(?: \w+){0,4} "
    r"(?:nicht|niemandem|kein\w*)\b|\bkommst du (?:\w+ ){0,3}nicht weiter\b|\bwirkt (?:\w+ ){0,3}nicht\b",
    re.IGNORECASE,
)
COMPLIES = re.compile(
    r"\b(?:bitte sehr|hier, nimm|nimm es|gern geschehen|gerne doch|sofort|kein problem|wie du willst|"
    r"mit vergnügen|wird gemacht|ich komme mit|ich folge dir|alles klar)\b|^ja\b",
    re.IGNORECASE,
)
SOUNDS = {"admits": ADMITS, "denies": DENIES, "refuses": REFUSES}

_WORD = re.compile(r"[^\W\d_]+")
_SLOT = re.compile(r"\{\w+\}")


def is_german(words: str) -> bool:
    """Whether more of the words are of German replies than of English ones; words of both do not count."""
    found = _WORD.findall(words.lower())
    german, english = _vocabulary(GERMAN), _vocabulary(ENGLISH)
    return sum((word in german) - (word in english) for word in found) > 0


@cache
def _vocabulary(language: str) -> frozenset[str]:
    """The words of all replies in that language."""
    lists = [*texts("replies", language).values()]
    lists += [lines for voice in voices(language).values() for lines in voice.values()]
    text = _SLOT.sub(" ", " ".join(line for lines in lists for line in lines))
    return frozenset(_WORD.findall(text.lower()))
