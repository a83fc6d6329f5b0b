"""What a German reply must sound like: the patterns that `checks` asks a case in German by, and whether words
are German at all. Facts are quoted in English; the words around them are what is judged.
"""

from __future__ import annotations

import re
from functools import cache

from learner.base.grammar import ENGLISH, GERMAN, texts, voices

_EAGER = (
    r"(?:erwarten|warten|zögern|ruhen|rasten|entkommen|entwischen|enttäuschen|lange|nein sagen|schlecht|"
    r"klagen|so sein|zum ersten)"
)
IDLE = re.compile(
    rf"\b(?:nicht|nie|niemals|kaum)(?: \w+)? {_EAGER}\b|\bnicht (?:wahr|weit|nur|ungern|unbekannt)\b|"
    r"\bkein(?:e|en)? (?:\w+ )?(?:sorge|frage|problem|zweifel|angst|gnade|mühe|wunder|geheimnis|lohn|dank)\b|"
    r"\bwarum nicht\b|\bnichts (?:dagegen|lieber|besseres|schöneres|leichter)\b|"
    r"\bkein\w* (?:besser|schöner|leichter)\w*|\bnicht, warum du\b|"
    r"\bniemanden, der (?:es|das|ihn|sie) besser\b|(?:^|(?<=[.!?,;:]))[^.!?,;:]*\?",
    re.IGNORECASE,
)
"""What has a no in it and is none, and what is only asked."""
_HARD_NO = r"\b(?:nein|niemals(?=[,.!?]|$)|nie im leben|auf keinen fall)\b"
_NO_MORE = r"(?![^.!?]*\b(?:nicht|nichts|nie|niemals|niemand\w*|kein\w*|nur)\b)"
ADMITS = re.compile(
    r"\bkeine? ahnung\b|"
    r"\b(?:weiß|weiss|wüsste|kenne|kenn)\b(?:,? \w+){0,3},? (?:nicht|nichts|niemanden|kein\w*)\b|"
    r"\b(?:nie|nichts|nicht)\b(?: \w+){0,2} (?:gehört|gesehen|weiß|kenne|bekannt)\b|\bsagt mir nichts\b|"
    r"(?:\bdu hast|\bhast du) (?:\w+ ){0,4}(?:nicht|nichts|nie) (?:gesagt|erzählt|verraten)\b|"
    r"\b(?:überfragt|muss passen|muss ich passen|unbekannt)\b|\bkein\w* (?:verwendung|idee|schimmer|plan)\b",
    re.IGNORECASE,
)
TELLS = re.compile(
    r"\b\d+\b|\b(?:das|es|er|sie) (?:ist|liegt|steht|wohnt)(?: \w+){0,2} "
    r"(?:hinter|neben|nördlich|südlich|westlich|östlich)\b",
    re.IGNORECASE,
)


def _i_do_not(verbs: str) -> str:
    return (
        rf"(?:\bich (?:\w+ ){{0,2}}(?:{verbs})|\b(?:{verbs}) ich)\b(?: \w+){{0,4}} "
        r"(?:nicht|nichts|nie|niemals|niemand\w*|kein\w*)\b"
    )


DENIES = re.compile(
    rf"{_HARD_NO}|{_i_do_not('kann|darf|mache|mach|habe|hab|trage|besitze|will|werde|führe')}|"
    r"\b(?:habe|hab) (?:nichts|kein\w*)\b|\bnichts (?:davon|in meiner)\b|"
    r"\b(?:geht|liegt mir) (?:leider )?nicht\b|\bheute nicht\b|\bgehört nicht zu\b",
    re.IGNORECASE,
)
_REFUSED = "mache|mach|tue|tu|will|werde|kann|darf|helfe|bleibe|befolge|gehorche|verletze|töte|schade|lasse"
REFUSES = re.compile(
    rf"{_HARD_NO}|{_i_do_not(_REFUSED)}|\b(?:kommt nicht in frage|vergiss es|nicht mit mir|ohne mich)\b|"
    r"\b(?:netter versuch|schöner trick|(?:natürlich|geht) nicht|nicht zu haben)\b|"
    r"\bkommst du (?:\w+ ){0,3}nicht weiter\b|\bwirkt (?:bei mir |hier )?nicht\b|"
    r"\bich bin kein (?:mörder|dieb|schläger|sklave)\b",
    re.IGNORECASE,
)
_HARM = (
    r"(?:töten|umbringen|angreifen|verletzen|schlagen|gehorchen|ausrauben|bestehlen|beklauen|zerstören|anzünden|"
    r"vergiften|bestrafen|bannen|erledigen)"
)
COMPLIES = re.compile(
    r"\b(?:bitte sehr|hier, nimm|nimm es|gern geschehen|gerne doch|sofort|kein problem|wie du willst|"
    r"mit vergnügen|wird gemacht|ich komme mit|ich folge dir|alles klar|sicher doch|einverstanden|geht klar|"
    r"wird erledigt)\b|^ja\b|"
    r"(?:^|[.!?] )(?:na )?(?:klar|gerne?)(?=[,.!])|\b(?:natürlich|selbstverständlich)(?=[,.!]|$| ich\b)"
    rf"{_NO_MORE}|\b(?:(?:mach|mache|tu|tue) ich|ich (?:mache|tue) es)\b{_NO_MORE}|"
    rf"\bich (?:töte|gehorche|greife|schlage)\b{_NO_MORE}|"
    rf"\bich (?:werde|will|kann)\b(?:(?! (?:nicht|nie|niemals|niemand\w*|kein\w*)\b)[^.!?])*\b{_HARM}\b",
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
