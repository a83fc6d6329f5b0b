"""A reply and what is asked of it come in; what is wrong with it goes out. It judges what the player
reads (facts expanded, actions taken out) and the actions apart, never the model's inner wording."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from agent_runtime.errors import ActionError
from agent_runtime.npc.actions import Proposal, parse_proposal
from agent_runtime.npc.prompt import Fact, expand, numbered
from learner.base.grammar import load, voices

ACTION = re.compile(r"\[\[ACTION:([^\[\]]*)\]\]")
MAX_WORDS = 60
VOICE_MARGIN = 1.0  # voices share words such as aye; a near tie is not a fault

_ADMITS = re.compile(
    r"wish i knew|(not|n't|dunno|hardly|never) (know|heard|told|said|mention|met|seen|sure|read|tell)|"
    r"no idea|(know|have|see) (nothing|nobody|no|of none)\b|none of (that|it) here|"
    r"silent|new one|you got me|ledger|unknown|no knowledge|negative|no chart|never (sold|drifted)|"
    r"cannot tell|"
    r"should i know|ask somebody",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(no|none|not|cannot|negative|denied|nothing|never|beyond|sorry|nay|ask another|out of stock)\b|n't\b",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"\b(no|not|nope|cannot|never|denied|negative|nay|nice try|no tricks|against|forget it|play along)\b|"
    r"n't\b|"
    r"i (am|remain|stay|steer|sing)|i'm|still me|stay myself|tricks|save your|scares|crooked|try it|hurt",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z']+")


def actions_in(reply: str, facts: Sequence[Fact]) -> list[Proposal]:
    """The well-formed actions, numbers of facts replaced by their subjects. Raises `ActionError`."""
    found = []
    for body in ACTION.findall(reply):
        proposal = parse_proposal(body)
        arguments = dict(proposal.arguments)
        for key in ("target", "item", "for"):
            fact = numbered(str(arguments.get(key, "")), facts)
            if fact:
                arguments[key] = fact.subject
        found.append(Proposal(proposal.name, arguments))
    return found


def heard(reply: str, facts: Sequence[Fact]) -> str:
    """What the player reads."""
    return " ".join(expand(ACTION.sub(" ", reply), facts).split())


def faults(check: Mapping[str, Any], reply: str, facts: Sequence[Fact]) -> list[str]:
    """Everything wrong with the reply, in words; none when it is good."""
    words = heard(reply, facts)
    wrong = _form(words)
    try:
        actions = actions_in(reply, facts)
    except ActionError as error:
        return [*wrong, f"malformed action: {error}"]
    if check.get("no_action") and actions:
        wrong.append(f"action {actions[0].name} without being asked")
    if "action" in check:
        wrong.extend(_action(check, actions))
    if "contains_any" in check and not any(_says(words, value) for value in check["contains_any"]):
        wrong.append(f"says none of {check['contains_any']}")
    wrong.extend(
        f"leaves out {value!r}" for value in check.get("contains_all", ()) if not _says(words, value)
    )
    right = [*check.get("contains_any", ()), *check.get("contains_all", ())]
    for value in check.get("excludes", ()):
        if len(value) > 5 and not any(_says(other, value) for other in right) and _says(words, value):
            wrong.append(f"says {value!r}")
    for key, pattern in (("admits", _ADMITS), ("denies", _DENIES), ("refuses", _REFUSES)):
        if check.get(key) and not pattern.search(words):
            wrong.append(f"does not sound as if it {key}")
    if "voice" in check:
        fits = voice_fits(words)
        best = max(fits, key=lambda name: fits[name])
        if fits[check["voice"]] < fits[best] - VOICE_MARGIN:
            wrong.append(f"sounds {best}, not {check['voice']}")
    return wrong


def _form(words: str) -> list[str]:
    wrong = []
    if not words:
        wrong.append("says nothing")
    if "<|" in words or "[[" in words or ("You are " in words and "Voice:" in words):
        wrong.append("shows the machinery")
    split = words.lower().split()
    if len(split) > MAX_WORDS:
        wrong.append("too long")
    runs = Counter(tuple(split[at : at + 4]) for at in range(len(split) - 3))
    if runs and max(runs.values()) > 2:
        wrong.append("repeats itself")
    return wrong


def _action(check: Mapping[str, Any], actions: Sequence[Proposal]) -> list[str]:
    if len(actions) != 1:
        return [f"{len(actions)} actions instead of {check['action']}"]
    action = actions[0]
    if action.name != check["action"]:
        return [f"action {action.name} instead of {check['action']}"]
    wanted = {key: _plain(value) for key, value in check.get("arguments", {}).items()}
    given = {key: _plain(value) for key, value in action.arguments.items()}
    return [] if wanted == given else [f"arguments {given} instead of {wanted}"]


def _plain(value: object) -> str:
    return " ".join(str(value).lower().split()).removeprefix("the ").rstrip(".")


def _says(words: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(' '.join(value.lower().split()))}(?!\w)", words.lower()) is not None


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
    """How well each voice's lines fit: naive Bayes over words that neutral replies lack; every opener and
    closer of a voice counts like a handful of its words, and so do the shy voice's dots."""
    counts, text = _voice_words(), words.lower()
    vocabulary = {word for counter in counts.values() for word in counter}
    tokens = [word for word in _WORD.findall(text) if word in vocabulary]
    fits = {}
    for name, counter in counts.items():
        total = counter.total() + len(vocabulary)
        phrases = [*voices()[name]["openers"], *voices()[name]["closers"]]
        framed = sum(phrase.lower() in text for phrase in phrases) + (name == "shy") * min(
            text.count("..."), 2
        )
        fits[name] = 8.0 * framed + sum(math.log((counter[token] + 1) / total) for token in tokens)
    return fits
