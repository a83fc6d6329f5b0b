"""Which facts a line asks for: everything true right now and the line come in; the facts that a prompt
shows go out, each with the tag by which a reply quotes it.

What is always told needs no asking. Everything else is found by its name in the line; what of it the line
wants to know is the model's choice. A pure function of words, the same for serving and for the training
corpus.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from agent_runtime.npc.prompt import Block, Fact
from agent_runtime.npc.spelling import Spelling

_NAMED, _PARTLY, _ASKED = 20, 8, 6
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


class _Kind(NamedTuple):
    """How facts of a kind, told by their source, are tagged and found.

    Those of the block `asked` are found by their label; `partly` says that some of its words are enough,
    and `quotes` that the words of the value count instead.
    """

    tag: str
    block: Block = "asked"
    suffix: str = ""
    partly: bool = False
    quotes: bool = False


_KINDS = {
    "time": _Kind("time", "around"),
    "ground": _Kind("ground", "around"),
    "weather": _Kind("weather", "around"),
    "holds": _Kind("holds", "around"),
    "state": _Kind("doing", "around"),
    "near": _Kind("near", "around"),
    "bag": _Kind("bag", "around"),
    "speaker": _Kind("player", "around"),
    "self": _Kind("name", "untold"),
    "work": _Kind("work", "untold"),
    "fear": _Kind("fear", "untold"),
    "love": _Kind("love", "untold"),
    "origin": _Kind("origin", "untold"),
    "last line": _Kind("said", "untold"),
    "last reply": _Kind("reply", "untold"),
    "recipe": _Kind("recipe"),
    "norecipe": _Kind("found"),
    "uses": _Kind("uses"),
    "carry": _Kind("carry", partly=True),
    "lack": _Kind("lacks"),
    "place": _Kind("where", partly=True),
    "player": _Kind("where", suffix=" (player)", partly=True),
    "npc": _Kind("where", suffix=" (townsperson)", partly=True),
    "mob": _Kind("where", suffix=" (mob)", partly=True),
    "knows": _Kind("news", partly=True),
    "said": _Kind("told", quotes=True),
}
TAGS = frozenset(kind.tag for kind in _KINDS.values())
"""What facts are tagged with; the second of a kind has a number behind it."""
_CALLED = (
    "name named names call called calls nickname who whom namen heiße heisse nenn nennt nennen genannt wer"
)
_WHO = frozenset(["who", "wer"])
_ORDER = {kind: number for number, kind in enumerate(_KINDS)}
_STEMS: dict[tuple[str, str], frozenset[str]] = {}
_FIRST_PERSON = "i im i'm my mine me we our us remember ich mich mir mein meinen wir uns unser"
_EMPTY = (
    "a about again all also am an and any are as ask at be been but by can come could did do does for "
    "from get give go good got had has have he help her here him his how if in is it its just know let "
    "like look lot make me more my need no not now of off oh ok on one or our out over please really "
    "say said see she should so some tell that the them then there they thing think this to told too "
    "up us very want was we well were what when where which who why will with would yes you your i'm "
    "im don't i "
    "aber auch bei bin bist bitte das dein der dich dir doch du ein einen er es für gib habe hast ich ist ja "
    "kann kannst kein mal mein meinen mich mir mit nein nicht noch oder sag sie sind und uns unser von was "
    "weißt weisst wenn wer wie wir wo wozu zu zum zur"
)
"""Words, English and German, that a told line and a question may share by chance."""


def choose(line: str, candidates: Sequence[Fact], limit: int) -> list[Fact]:
    """The facts for this line: what it names, at most `limit` of them, and what is always told. The second
    of a kind is tagged `recipe2`, and so on; what is named last, which people mostly ask for, comes first."""
    typed = [stem(word) for word in split_words(line)]
    spelling = Spelling(word for fact in candidates for word in _name(fact))
    places = {word: place for place, said in enumerate(typed) for word in (said, spelling.correct(said))}
    words = frozenset(places)
    scored = [(score(fact, words), fact) for fact in candidates]
    named = [(points, fact) for points, fact in scored if points >= _ASKED]
    named.sort(key=lambda pair: (-pair[0], _ORDER[_kind_of(pair[1])]))
    told = [pair for pair in named if _KINDS[_kind_of(pair[1])].quotes]
    named = [pair for pair in named if pair not in told[1:]]  # the likeliest of what was told is enough
    shown = named[:limit]
    shown.sort(key=lambda pair: (pair[0] < _NAMED, -_last_place(pair[1], places)))
    always = [fact for fact in candidates if _KINDS[_kind_of(fact)].block != "asked"]
    counts: Counter[str] = Counter()
    chosen = []
    for fact in [*always, *(fact for _, fact in shown)]:
        kind = _KINDS[_kind_of(fact)]
        counts[kind.tag] += 1
        tag = kind.tag if counts[kind.tag] == 1 else f"{kind.tag}{counts[kind.tag]}"
        chosen.append(replace(fact, tag=tag, block=kind.block))
    return chosen


def score(fact: Fact, words: frozenset[str]) -> float:
    """How surely a line of these words (stems) names the fact; from 6 on it does."""
    kind = _KINDS[_kind_of(fact)]
    if kind.quotes:
        return _told(fact, words)
    name = _name(fact)
    said = sum(word in words for word in name)
    if said and said == len(name):
        return _NAMED + said
    return _PARTLY * said / len(name) + _ASKED / 2 if said and kind.partly else 0


def _name(fact: Fact) -> list[str]:
    """The words of a fact's name, as stems; none when its kind goes by no name."""
    kind = _KINDS[_kind_of(fact)]
    if kind.block != "asked" or kind.quotes:
        return []
    words = split_words(fact.label.removesuffix(kind.suffix))
    return [stem(word) for word in words if word != "the"] or [stem(word) for word in words]


def _last_place(fact: Fact, places: Mapping[str, int]) -> int:
    """Where in the line the fact's name ends; `places` are those where each of its words was typed last."""
    return max((places.get(word, -1) for word in _name(fact)), default=-1)


def _told(fact: Fact, words: frozenset[str]) -> float:
    """A line that was told before, when a question about oneself has words in common with it."""
    if words.isdisjoint(_stems("first person", _FIRST_PERSON)):
        return 0
    told = {stem(word) for word in split_words(fact.value)}
    common = len((told & words) - _stems("empty", _EMPTY))
    called = _stems("called", _CALLED)
    if not told.isdisjoint(called - _WHO) and not words.isdisjoint(called):
        common += 1
    return _ASKED + common if common else 0


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return [word.lower() for word in _WORD.findall(text)]


def stem(word: str) -> str:
    """What the singular and the plural of an English word share: `torch` for `torches`, `pickax` for
    `pickaxes`, `berri` for `berry`, `dog` for `dog's`. Both sides of every comparison pass through it."""
    word = word.removesuffix("'s")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


def _kind_of(fact: Fact) -> str:
    return fact.source.partition(":")[0]


def _stems(name: str, words: str) -> frozenset[str]:
    key = (name, words)
    if key not in _STEMS:
        _STEMS[key] = frozenset(stem(word) for word in words.split())
    return _STEMS[key]
