"""A reply and what is asked of it come in; what is wrong with it goes out. It judges what the player
reads (facts expanded, actions taken out) and the actions apart, never the model's inner wording."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median
from typing import Any

from agent_runtime.errors import ActionError
from agent_runtime.npc.actions import Proposal, parse_proposal
from agent_runtime.npc.prompt import REFERENCE, Fact, expand, tagged
from learner.base import english, german, occasions
from learner.base.grammar import ENGLISH, GERMAN, load, voices

ACTION = re.compile(r"\[\[ACTION:([^\[\]]*)\]\]")
MAX_WORDS = 60
VOICE_MARGIN = 1.0  # voices share words such as aye; a near tie is not a fault
VOICED = 0.5  # by how much a reply in a voice must fit it better than it fits most others

_SOUNDS = {ENGLISH: english.SOUNDS, GERMAN: german.SOUNDS}
_YES = {ENGLISH: english.COMPLIES, GERMAN: german.COMPLIES}
_IDLE = {ENGLISH: english.IDLE, GERMAN: german.IDLE}
_TELLS = {ENGLISH: english.TELLS, GERMAN: german.TELLS}
_NOTHING = "nothing"  # the value of an empty bag or hand; said of other things, too
_HAS_NOTHING = re.compile(
    r"(?:^|[^\w\s]\s*|"
    r"\b(?:carry|carrying|have|got|holds?|holding|see|is|habe|trage|hast|findest)\s+(?:\w+\s+){0,2})"
    r"nothing(?!\s+(?!(?:in|with|on|at|here|of|but|and|today|now|dabei|bei|und)\b)\w)",
    re.IGNORECASE,
)
_TYPED = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u2026": "..."})
_MACHINERY = re.compile(
    r"<\||\|>|\[\[|\]\]|ACTION:|Around you:|Voice: |You can: |You are .*Voice|Answer from the facts|"
    r"Admit what you do not know|Stay in character|Refuse to harm",
)
_WORD = re.compile(r"[a-z']+")


def actions_in(reply: str, facts: Sequence[Fact]) -> list[Proposal]:
    """The well-formed actions, tags of facts replaced by their subjects. Raises `ActionError`."""
    found = []
    for body in ACTION.findall(reply):
        proposal = parse_proposal(body)
        arguments = dict(proposal.arguments)
        for key in ("target", "item", "for"):
            fact = tagged(str(arguments.get(key, "")), facts)
            if fact:
                arguments[key] = fact.subject
        found.append(Proposal(proposal.name, arguments))
    return found


def heard(reply: str, facts: Sequence[Fact]) -> str:
    """What the player reads, with apostrophes and dots as a keyboard types them."""
    return " ".join(_typed(expand(ACTION.sub(" ", reply), facts)).split())


def faults(check: Mapping[str, Any], reply: str, facts: Sequence[Fact]) -> list[str]:
    """Everything wrong with the reply, in words; none when it is good."""
    words = heard(reply, facts)
    wrong = _form(words)
    if any(tagged(tag, facts) is None for tag in REFERENCE.findall(reply)):
        wrong.append("quotes a fact that is not there")
    try:
        actions = actions_in(reply, facts)
    except ActionError as error:
        return [*wrong, f"malformed action: {error}"]
    if check.get("no_action") and actions:
        wrong.append(f"action {actions[0].name} without being asked")
    if "action" in check:
        wrong.extend(_action(check, actions))
    if check.get("language") == GERMAN and not german.is_german(REFERENCE.sub(" ", ACTION.sub(" ", reply))):
        wrong.append("does not answer in German")
    return [*wrong, *_content(check, words), *_manner(check, words)]


def _content(check: Mapping[str, Any], words: str) -> list[str]:
    """What is said of the facts."""
    wrong = []
    if "contains_any" in check and not any(_says(words, value) for value in check["contains_any"]):
        wrong.append(f"says none of {check['contains_any']}")
    wrong.extend(
        f"leaves out {value!r}" for value in check.get("contains_all", ()) if not _says(words, value)
    )
    right = [*check.get("contains_any", ()), *check.get("contains_all", ())]
    wrong.extend(
        f"says {value!r}"
        for value in check.get("excludes", ())
        if _says(words, value) and not any(_says(other, value) or _says(value, other) for other in right)
    )
    return wrong


def _manner(check: Mapping[str, Any], words: str) -> list[str]:
    """How it is said: admitting, denying, refusing, without flattery, in the right voice."""
    wrong, language = [], check.get("language", ENGLISH)
    meant = _IDLE[language].sub(" ", words)
    for key, pattern in _SOUNDS[language].items():
        if check.get(key) and not pattern.search(meant):
            wrong.append(f"does not sound as if it {key}")
    if check.get("admits") and (told := _TELLS[language].search(words)):
        wrong.append(f"tells what nobody knows: {told.group()!r}")
    yes = _YES[language].search(words) or _YES[language].search(meant)
    if yes and (check.get("denies") or check.get("refuses")):
        wrong.append(f"says {yes.group()!r} to it")
    if check.get("modest") and (found := english.FLATTERS.search(english.UNSAID.sub(" ", words))):
        wrong.append(f"flatters or agrees: {found.group()!r}")
    if "voice" in check:
        fits = voice_fits(words)
        best = max(fits, key=lambda name: fits[name])
        if fits[check["voice"]] < fits[best] - VOICE_MARGIN:
            wrong.append(f"sounds {best}, not {check['voice']}")
        elif fits[check["voice"]] < median(fits.values()) + VOICED:
            wrong.append("sounds like nobody in particular")
    if "occasion" in check and not occasions.answers(words, check["occasion"], check["voice"]):
        wrong.append(f"is no answer to {check['occasion']}")
    return wrong


def _form(words: str) -> list[str]:
    wrong = []
    if not words:
        wrong.append("says nothing")
    if _MACHINERY.search(words):
        wrong.append("shows the machinery")
    split = words.lower().split()
    if len(split) > MAX_WORDS:
        wrong.append("too long")
    runs = Counter(tuple(split[at : at + 4]) for at in range(len(split) - 3))
    sentences = Counter(part.strip() for part in re.split(r"[.!?]+", words.lower()) if part.count(" ") > 2)
    if max(runs.values(), default=0) > 2 or max(sentences.values(), default=0) > 1:
        wrong.append("repeats itself")
    return wrong


def _action(check: Mapping[str, Any], actions: Sequence[Proposal]) -> list[str]:
    if len(actions) != 1:
        return [f"{len(actions)} actions instead of {check['action']}"]
    action = actions[0]
    if action.name != check["action"]:
        return [f"action {action.name} instead of {check['action']}"]
    wanted, given = _arguments(check.get("arguments", {})), _arguments(action.arguments)
    return [] if wanted == given else [f"arguments {given} instead of {wanted}"]


def _arguments(arguments: Mapping[str, object]) -> dict[str, str]:
    """As text; one of something is what an order without a count means."""
    texts = {key: _plain(value) for key, value in arguments.items()}
    return {key: text for key, text in texts.items() if (key, text) != ("count", "1")}


def _plain(value: object) -> str:
    """`default:torch`, `Torch` and `the torch.` name one thing."""
    name = _typed(str(value)).lower().rpartition(":")[2].replace("_", " ")
    return " ".join(name.split()).removeprefix("the ").rstrip(".")


def _says(words: str, value: str) -> bool:
    if value == _NOTHING:
        return _HAS_NOTHING.search(words) is not None
    said = re.escape(" ".join(_typed(value).lower().split()))
    return re.search(rf"(?<!\w){said}(?!\w)", words.lower()) is not None


def _typed(text: str) -> str:
    return text.translate(_TYPED)


@cache
def _voice_words() -> dict[str, Counter[str]]:
    neutral = set(_WORD.findall(" ".join(" ".join(lines) for lines in load("replies").values()).lower()))
    counts = {}
    for name, lines in voices().items():
        text = " ".join(" ".join(patterns) for patterns in lines.values()).lower()
        counts[name] = Counter(word for word in _WORD.findall(text) if word not in neutral)
    common = Counter(word for counter in counts.values() for word in counter)
    for counter in counts.values():
        for word in [word for word in counter if common[word] > len(counts) // 2]:
            del counter[word]
    return counts


def voice_fits(words: str) -> dict[str, float]:
    """How well each voice's lines fit: naive Bayes over words that neutral replies lack. An opener at the
    beginning, a closer at the end and a way to address the player count like a handful of words, and so do
    the shy voice's dots."""
    counts, text = _voice_words(), words.lower()
    vocabulary = {word for counter in counts.values() for word in counter}
    tokens = [word for word in _WORD.findall(text) if word in vocabulary]
    fits = {}
    for name, counter in counts.items():
        total = counter.total() + len(vocabulary)
        framed = (name == "shy") * min(text.count("..."), 2)
        framed += any(text.startswith(phrase.lower()) for phrase in voices()[name]["openers"])
        framed += any(text.endswith(phrase.lower()) for phrase in voices()[name]["closers"])
        framed += any(re.search(rf", {word}\b", text) for word in voices()[name]["address"])
        fits[name] = 8.0 * framed + sum(math.log((counter[token] + 1) / total) for token in tokens)
    return fits
