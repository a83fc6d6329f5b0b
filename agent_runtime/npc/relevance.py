"""Which facts a line asks for: everything true right now and the line come in; the facts that matter go
out, the most relevant first, so that `[[1]]` is what was asked for whenever it is known.

A pure function of words, the same for serving and for the training corpus. Few and the right facts in the
prompt are worth more to a small model than many, and cost less time with any model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from agent_runtime.npc.prompt import Fact
from agent_runtime.npc.spelling import Spelling

_NAMED, _PARTLY, _ASKED, _HINTED = 20, 8, 6, 2
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


class _Kind(NamedTuple):
    """How a kind of fact, told by its source, is asked for.

    `prefix` and `suffix` frame the name in its label, if it has one; `asks` are words that ask for all
    facts of the kind; `wants` are words that make it likelier than others of the same name. `partly` says
    that some of the name's words are enough, `quotes` that the words of its value count like a name's, and
    `always` that the fact belongs into every prompt.
    """

    asks: str = ""
    wants: str = ""
    weight: float = 4
    hints: str = ""
    prefix: str = ""
    suffix: str = ""
    named: bool = True
    partly: bool = False
    quotes: bool = False
    always: bool = False


_MOVE = (
    "where far way path road route walk go going come lead guide bring follow look find reach near direction"
)
_NEAR = (
    "near nearby around about close here there anyone anybody somebody someone people see alone company "
    "beside who surroundings else animals monsters"
)
_GIVE = "give hand pass share lend spare have got carry bag need want trade sell buy borrow"
_MAKE = "make made making craft crafting build recipe create how need ingredient ingredients put"
_SPOKEN = "say said saying tell told ask asked repeat again word words mention mentioned"
_CALLED = "name named names call called calls nickname who whom"
_WORK = "who yourself introduce work job living earn trade profession role occupation craft day days"
_FEAR = (
    "fear fears afraid scared scare scares scary frighten frightens frightened terrify dread worry worries"
)
_LOVE = "love like enjoy favourite favorite fond best passion happy heart dear treasure care pleasure"
_ORIGIN = "from origin born birth birthplace home homeland hometown grew grow childhood raised native"
_BAG = "carry carrying bag pockets pack inventory basket wares goods anything something have got"
_KINDS = {
    "time": _Kind(
        "time hour late early clock day night morning evening noon dark sun", named=False, always=True
    ),
    "holds": _Kind("hold holding held hand hands wield carrying", named=False, always=True),
    "state": _Kind("doing busy working heading going occupies up moment", named=False, always=True),
    "ground": _Kind(
        "ground soil land floor biome area stand standing walk feet foot boots shoes under below beneath",
        named=False,
        always=True,
    ),
    "weather": _Kind(
        "weather sky skies rain raining rainy sunny snow storm stormy coat", named=False, always=True
    ),
    "self": _Kind(f"{_CALLED} yourself introduce", named=False),
    "work": _Kind(
        "who yourself introduce work job living earn trade profession role occupation craft day days",
        named=False,
    ),
    "player's name": _Kind(f"{_CALLED} remember recognize recognise", named=False),
    "fear": _Kind(_FEAR, named=False),
    "love": _Kind(
        "love like enjoy favourite favorite fond best passion happy heart dear treasure care pleasure",
        named=False,
    ),
    "origin": _Kind(
        "from origin born birth birthplace home homeland hometown grew grow childhood raised native",
        named=False,
    ),
    "last line": _Kind(_SPOKEN, named=False),
    "last reply": _Kind(_SPOKEN, named=False),
    "recipe": _Kind(wants=_MAKE, suffix=" recipe"),
    "norecipe": _Kind(wants=_MAKE),
    # "made from it" and "use it" outweigh "how" and "make"; "what is it for" has neither.
    "uses": _Kind(
        wants="use used uses using purpose worth from with out found useful good",
        weight=5,
        hints="for",
        suffix=" is used in",
    ),
    "bag": _Kind(
        "carry carrying bag pockets pack inventory basket wares goods anything something have got",
        named=False,
    ),
    "carry": _Kind(wants=_GIVE, prefix="you carry ", partly=True),
    "near": _Kind(_NEAR, named=False),
    "place": _Kind("places", _MOVE, partly=True),
    "player": _Kind("", _MOVE, suffix=" (player)", partly=True),
    "npc": _Kind("", _MOVE, suffix=" (townsperson)", partly=True),
    "mob": _Kind("", _MOVE + " attack fight kill", suffix=" (mob)", partly=True),
    "knows": _Kind(partly=True),
    "said": _Kind(quotes=True),
}
_ORDER = {kind: number for number, kind in enumerate(_KINDS)}
_STEMS: dict[tuple[str, str], frozenset[str]] = {}
_FIRST_PERSON = "i im i'm my mine me we our us remember"
_EMPTY = (
    "a about again all also am an and any are as ask at be been but by can come could did do does for "
    "from get give go good got had has have he help her here him his how if in is it its just know let "
    "like look lot make me more my need no not now of off oh ok on one or our out over please really "
    "say said see she should so some tell that the them then there they thing think this to told too "
    "up us very want was we well were what when where which who why will with would yes you your i'm "
    "im don't i"
)
"""Words that a told line and a question may share without having to do with each other."""


def choose(line: str, candidates: Sequence[Fact], limit: int) -> list[Fact]:
    """The facts for this line: what it asks about, marked so, the most relevant first and at most `limit` of
    them; then what is always told."""
    typed = [stem(word) for word in split_words(line)]
    spelling = Spelling(word for fact in candidates for word in _name(fact))
    words = frozenset(typed) | {spelling.correct(word) for word in typed}
    scored = [(score(fact, words), fact) for fact in candidates]
    asked = [(points, fact) for points, fact in scored if points >= _ASKED]
    asked.sort(key=lambda pair: (-pair[0], _ORDER[_kind_of(pair[1])]))
    chosen = [replace(fact, asked=True) for _, fact in asked[:limit]]
    always = [fact for fact in candidates if _KINDS[_kind_of(fact)].always]
    return chosen + [replace(fact, asked=False) for fact in always]


def score(fact: Fact, words: frozenset[str]) -> float:
    """How much a line of these words (stems) asks for the fact; from 6 on it does."""
    name_of_kind = _kind_of(fact)
    kind = _KINDS[name_of_kind]
    if kind.quotes:
        return _told(fact, words)
    hits = len(words & _stems(name_of_kind, kind.asks))
    points: float = _ASKED + hits - 1 if hits else 0
    if not kind.named:
        return points
    name = _name(fact)
    said = sum(word in words for word in name)
    if said and said == len(name):
        points += _NAMED + said
    elif said and kind.partly:
        points += _PARTLY * said / len(name) + _ASKED / 2
    if said and words & _stems(f"{name_of_kind} wanted", kind.wants):
        points += kind.weight
    elif said and words & _stems(f"{name_of_kind} hinted", kind.hints):
        points += _HINTED
    return points


def _name(fact: Fact) -> list[str]:
    """The words of a fact's name, as stems; none when its kind goes by no name."""
    kind = _KINDS[_kind_of(fact)]
    if not kind.named or kind.quotes:
        return []
    label = fact.label.removeprefix(kind.prefix).removesuffix(kind.suffix)
    words = split_words(label)
    return [stem(word) for word in words if word != "the"] or [stem(word) for word in words]


def _told(fact: Fact, words: frozenset[str]) -> float:
    """A line that was told before, when a question about oneself has words in common with it."""
    if words.isdisjoint(_stems("first person", _FIRST_PERSON)):
        return 0
    told = {stem(word) for word in split_words(fact.value)}
    common = len((told & words) - _stems("empty", _EMPTY))
    called = _stems("called", _CALLED)
    if not told.isdisjoint(called - {"who"}) and not words.isdisjoint(called):
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
