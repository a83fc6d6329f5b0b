"""The model's text as it streams comes in; clean words, sentence ends, quoted facts and action
proposals come out. Nothing is judged here: that is `policy`.

Held back until complete: `[[tag]]` (a quoted fact, replaced by its value) and `[[ACTION:…]]` (never
spoken). Other brackets are spoken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent_runtime.errors import ActionError
from agent_runtime.npc.actions import Proposal, parse_proposal
from agent_runtime.npc.prompt import REFERENCE, Fact, expand, tagged
from agent_runtime.npc.text import visible

MAX_ACTIONS = 3
MAX_MARK = 300
_SENTENCE_END = re.compile(r"[.!?…]+[\"')»”]*(?=\s|$)")
_MARK_START = "[["
_ABBREVIATIONS = ("mr.", "mrs.", "dr.", "st.")


@dataclass(frozen=True, slots=True)
class Words:
    """Text to append to what was said, perhaps none; `sentence` says that a sentence ends with it."""

    text: str
    sentence: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """An action mark that could not be read, with the reason."""

    body: str
    reason: str


Utterance = Words | Proposal | Malformed


@dataclass(slots=True)
class Speech:
    """One reply while it streams. `feed` text, then `end` once; `said` is all that was spoken so far
    and `quoted` the places in `facts`, from 1, of those it used. After `most` sentences (0: no limit) nothing
    more is spoken, and `full` says that more words came, which are the `surplus`: no more need be fed."""

    facts: Sequence[Fact]
    most: int = 0
    full: bool = False
    surplus: str = ""
    said: str = ""
    quoted: list[int] = field(default_factory=list)
    _held: str = ""
    _sentence: str = ""
    _spoken: int = 0
    _sentences: int = 0
    _actions: int = 0

    def feed(self, text: str) -> list[Utterance]:
        """Take more of the model's text; return what is certain by now."""
        self._held += text
        out: list[Utterance] = []
        while not self.full:
            start = self._held.find(_MARK_START)
            if start < 0:
                # a single "[" at the very end may be half of a mark
                keep = 1 if self._held.endswith("[") else 0
                out += self._pass(len(self._held) - keep, self._speak)
                return out
            end = self._held.find("]]", start)
            if end < 0:
                out += self._pass(start, self._speak)
                if len(self._held) > MAX_MARK:
                    out.append(Malformed(self._held[:MAX_MARK], "the mark has no end"))
                    self._held = ""
                return out
            out += self._pass(start, self._speak)
            if not self.full:
                out += self._pass(end + 2 - start, self._mark)
        return out

    def end(self) -> list[Utterance]:
        """The model has finished: speak what was held back, and close the last sentence."""
        out: list[Utterance] = []
        if self.full:
            self._held = ""
        if self._held.startswith(_MARK_START):
            out.append(Malformed(self._held[:MAX_MARK], "the mark has no end"))
            self._held = ""
        out += self._speak(self._held)
        self._held = ""
        if not self.full and self._sentence.strip():
            out.append(self._utter(self._sentence[self._spoken :].rstrip(), sentence=True))
        self._sentence = ""
        self._spoken = 0
        return out

    def _pass(self, length: int, on: Callable[[str], list[Utterance]]) -> list[Utterance]:
        """Hand on so much of what was held back."""
        piece, self._held = self._held[:length], self._held[length:]
        out = on(piece)
        if self.full and not self.surplus:
            self.surplus = _end_like(piece, self._sentence) + self._held
            self._sentence = ""
        return out

    def _mark(self, mark: str) -> list[Utterance]:
        body = mark[2:-2].strip()
        if REFERENCE.fullmatch(f"[[{body}]]"):
            fact = tagged(body, self.facts)
            number = self.facts.index(fact) + 1 if fact else 0
            if number and number not in self.quoted:
                self.quoted.append(number)
            return self._speak(expand(f"[[{body}]]", self.facts))
        head, colon, action = body.partition(":")
        if not colon or head.strip().upper() != "ACTION":
            return self._speak(mark[1:-1])
        self._actions += 1
        if self._actions > MAX_ACTIONS:
            return [Malformed(body[:MAX_MARK], f"more than {MAX_ACTIONS} actions in one reply")]
        try:
            return [parse_proposal(action)]
        except ActionError as error:
            return [Malformed(body[:MAX_MARK], str(error))]

    def _speak(self, text: str) -> list[Utterance]:
        """Add to the open sentence; return what of it is new, sentence by sentence."""
        if not text:
            return []
        self._sentence = _joined(self._sentence, visible(text))
        out: list[Utterance] = []
        while not self._enough and (end := _sentence_end(self._sentence)) is not None:
            out.append(self._utter(self._sentence[self._spoken : end], sentence=True))
            self._sentence = self._sentence[end:].lstrip()
            self._spoken = 0
            self._sentences += 1
        if self._enough:
            # An action may still follow the last sentence; words end the reply.
            self.full = self.full or bool(self._sentence.strip())
            if not self.full:
                self._sentence = ""
            return out
        fresh = self._sentence[self._spoken :].rstrip()
        if fresh:
            out.append(self._utter(fresh, sentence=False))
        return out

    @property
    def _enough(self) -> bool:
        return 0 < self.most <= self._sentences

    def _utter(self, text: str, sentence: bool) -> Words:
        """Words to append to what was said; a new sentence brings the space before it."""
        spoken = f" {text}" if self.said and self._spoken == 0 else text
        self._spoken += len(text)
        self.said += spoken
        return Words(spoken, sentence)


def _end_like(piece: str, words: str) -> str:
    """The end of a piece of the model's text that reads as these words, with the space before it; all of a
    piece that reads otherwise, as a quoted fact does."""
    ends = (piece[start:] for start in range(len(piece)))
    return next((end for end in ends if visible(end).strip() == words.strip()), piece)


def _joined(before: str, more: str) -> str:
    """Append without doubling spaces: a mark that was taken out leaves one on either side."""
    if not before or before.endswith(" "):
        more = more.lstrip(" ")
    return before + more


def _sentence_end(text: str) -> int | None:
    """Where the first complete sentence ends, or None. The mark must be followed by a space, so that
    `3.5` and a sentence still being written are not cut."""
    for match in _SENTENCE_END.finditer(text):
        if match.end() == len(text):
            return None
        if not text[: match.end()].lower().endswith(_ABBREVIATIONS):
            return match.end()
    return None
