"""A text comes in; the same text without coordinates, addresses, links and numbers to call goes out.

Counts and recipes look alike: numbers are a place when they are marked as one, when one of them is negative,
or when there are three of them and no more.
"""

from __future__ import annotations

import re
from collections import Counter

_NUMBER = r"-?\d{1,5}(?:\.\d+)?"
_BETWEEN = r" *[,;/|] *"
_OR_SPACE = rf"(?:{_BETWEEN}| )"
_START = r"(?<![\w.,])"
_END = r"(?!\w|\.\d)"
_OR = rf"(?! (?:or|and|oder|und)\b|{_BETWEEN}\d)"
_MARKS = ("at", "bei", "coord", "coords", "coordinates", "koordinaten", "loc", "location", "pos", "position")
_MARKED = "|".join(rf"(?<=\b{word}{after})" for word in _MARKS for after in (" ", ": "))
_AXIS = rf" *[=:]? *{_NUMBER}"
_COORDINATES = (
    # x=512 y=8 z=-1024, or two of the three
    rf"(?:[(\[] *)?\b(?P<axis>[xyz]){_AXIS}[ ,;/|]*(?!(?P=axis))[xyz]{_AXIS}(?:[ ,;/|]*[xyz]{_AXIS})?{_END}"
    r"(?: *[)\]])?",
    # (120, 77)
    rf"\( *{_NUMBER} *[,;] *{_NUMBER} *(?:[,;] *{_NUMBER} *)?\)",
    # 40 8 -4, and 512,-1024
    rf"{_START}(?=(?:{_NUMBER}{_OR_SPACE}){{0,2}}-\d){_NUMBER}{_OR_SPACE}{_NUMBER}{_OR_SPACE}{_NUMBER}{_END}",
    rf"{_START}(?=(?:{_NUMBER}{_BETWEEN})?-\d){_NUMBER}{_BETWEEN}{_NUMBER}{_END}",
    # at 40 8 4, and at 512, 340
    rf"(?:{_MARKED})(?=[\d.]*\D{{1,3}}[\d.]*\D{{0,3}}\d)(?=[\d.,;/| ]*\d\d)"
    rf"{_NUMBER}{_OR_SPACE}{_NUMBER}{_OR_SPACE}{_NUMBER}{_END}{_OR}",
    rf"(?:{_MARKED})(?=[\d.,;/| ]*\d{{3}}){_NUMBER}{_OR_SPACE}{_NUMBER}{_END}{_OR}",
    # 512, 8, 1024, but not 1, 2, 3, nor 1,000,000, nor some of a longer list
    rf"{_START}(?<!\d[,;/|] )(?=[\d.,;/| ]*\d\d)(?!\d+(?:,\d{{3}})*,000\b)"
    rf"{_NUMBER}{_BETWEEN}{_NUMBER}{_BETWEEN}{_NUMBER}{_END}{_OR}",
    # 512 8 1024
    rf"{_START}-?\d{{2,5}} -?\d{{1,5}} -?\d{{2,5}}{_END}",
)
_DOMAINS = "com|net|org|eu|de|gg|info|io|xyz"
_GROUP = "[0-9a-f]{1,4}"
# Each kind: what it looks like, and the words that stand in for it. Order matters: a link may hold numbers.
_KINDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("link", re.compile(r"\b(?:https?://|www\.)[^\s<>\"]+|\bdiscord\.gg/\S+", re.I), "some link"),
    (
        "e-mail",
        re.compile(
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
            r"|(?<![\w.+-])[\w.+-]+ ?(?:\(at\)|\[at\]| at ) ?[\w-]+ ?(?:\.|\(dot\)|\[dot\]| dot )"
            rf" ?(?:{_DOMAINS})\b",
            re.I,
        ),
        "some address",
    ),
    ("account", re.compile(r"(?<!\w)[\w.]{2,32}#\d{4}\b|(?<![\w@])@[A-Za-z0-9_.]{3,32}\b"), "some account"),
    (
        "IP address",
        re.compile(
            r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"
            rf"|(?<![\w:])(?:(?:{_GROUP}:){{7}}{_GROUP}|(?=[a-f:]*\d){_GROUP}(?::{_GROUP})*::(?:{_GROUP}(?::{_GROUP})*)?)"
            r"(?![\w:])",
            re.I,
        ),
        "some address",
    ),
    (
        "host",
        re.compile(
            rf"(?<![\w@.-])(?:[a-z0-9][a-z0-9-]*\.)+(?:[a-z]{{2,}}:\d{{4,5}}|(?:{_DOMAINS})(?:/\S*)?)\b", re.I
        ),
        "some address",
    ),
    ("coordinates", re.compile(rf"(?=[-\d([]|\b[xyz])(?:{'|'.join(_COORDINATES)})", re.I), "some place"),
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


def without_addresses(text: str, found: Counter[str]) -> str:
    """The text with plain words for them; `found` counts what was replaced, by kind."""
    for kind, pattern, words in _KINDS:
        text, count = pattern.subn(words, text)
        found[kind] += count
    return text
