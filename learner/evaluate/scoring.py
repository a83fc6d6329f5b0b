"""Prompts and replies come in; how likely a version of the served GGUF finds each reply goes out.

The engine's lanes only generate, so the serving library is asked directly, on the calling thread: the same
file, the same adapter, the same scale, never the training model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite
from pathlib import Path

import numpy as np

from agent_runtime.engine import adapterfile
from agent_runtime.engine.backend import Row, Version
from agent_runtime.engine.loading import Limits, load
from agent_runtime.engine.prompts import Prompts
from agent_runtime.errors import AdapterError, PromptTooLong
from agent_runtime.npc.prompt import Message, shortened

_SEQUENCE = 0
_SMALL = 0.25  # of the context: the most that a reply may take


@dataclass(frozen=True, slots=True)
class Text:
    """A prompt and a reply to it, in the model's own wording; without `ends`, more may be said after it."""

    messages: Sequence[Message]
    reply: str
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Likely:
    """The sum of a reply's log-probabilities, in nats, over its tokens and the end, where it has one."""

    total: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One side: an adapter's GGUF at a scale, or the bare base."""

    adapter: Path | None = None
    scale: float = 1.0


class Scorer:
    """A loaded model. Use it from one thread only, and close it."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._loaded = load(model, Limits(threads, slots=1, context=0))
        self._held: list[int] = []  # what the cache has
        self._prompts = Prompts(self._loaded.model, self._loaded.info.context)

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loaded.model.close()

    @property
    def digest(self) -> str:
        """The sha256 of the model's file."""
        return self._loaded.info.digest

    def score(
        self,
        contender: Contender,
        texts: Sequence[Text],
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Likely | None]:
        """One figure per text; None for a reply that is too long, or empty. A talk too long for the context
        is told with less of its history, as in serving. Raises `AdapterError`."""
        if contender.adapter and not isfinite(contender.scale):
            raise AdapterError(f"{contender.adapter}: the scale {contender.scale} is no number")
        if contender.adapter:
            adapterfile.check(contender.adapter, self._loaded.header)
        self._loaded.model.use(Version("scored", "", contender.adapter, contender.scale))
        found: list[Likely | None] = [None] * len(texts)
        fitting = [(place, *row) for place, text in enumerate(texts) if (row := self._row(text))]
        fitting.sort(key=lambda row: row[1])  # neighbours begin alike, and what is alike is read once
        try:
            for done, (place, prompt, reply) in enumerate(fitting, start=1):
                found[place] = Likely(self._read(prompt, reply), len(reply))
                progress(done)
        finally:
            self._loaded.model.drop(_SEQUENCE)
            self._held = []
        self._loaded.model.use(Version())
        return found

    def _row(self, text: Text) -> tuple[list[int], list[int]] | None:
        model = self._loaded.model
        reply = model.tokenize(text.reply, special=False)
        if not reply or len(reply) >= _SMALL * self._loaded.info.context:
            return None
        reply += [model.eos] if text.ends else []
        messages: Sequence[Message] | None = text.messages
        while messages is not None:
            try:
                pieces = self._loaded.template.pieces(messages)
                return self._prompts.tokens((), pieces, len(reply))[0], reply
            except PromptTooLong:
                messages = shortened(messages)
        return None

    def _read(self, prompt: list[int], reply: list[int]) -> float:
        """The sum of the logarithms of the chances of the reply's tokens, each after those before it."""
        model, size = self._loaded.model, self._loaded.size
        tokens, first = prompt + reply[:-1], len(prompt) - 1
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(self._held, tokens[:first], strict=False))
        start, total = sum(1 for _ in alike), 0.0
        model.cut(_SEQUENCE, start)
        self._held = tokens
        while start < len(tokens):
            # A context has logits for as many tokens of a batch as it has sequences.
            end = min(start + size.batch, max(start, first) + size.sequences, len(tokens))
            told = min(max(start, first), end)
            rows = [Row(_SEQUENCE, start, tokens[start:told], False)] if start < told else []
            rows += [Row(_SEQUENCE, place, [tokens[place]], True) for place in range(told, end)]
            for row, place in zip(rows, model.decode(rows), strict=True):
                if row.wanted:
                    total += self._logarithm(place, reply[row.position - first])
            start = end
        return total

    def _logarithm(self, place: int, token: int) -> float:
        logits = self._loaded.model.logits(place).astype(np.float64)
        logits -= logits.max()
        return float(logits[token] - np.log(np.exp(logits).sum()))
