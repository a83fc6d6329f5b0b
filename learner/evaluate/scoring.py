"""Prompts and replies come in; how likely a version of the served GGUF finds each reply goes out.

The engine's lanes only generate, so the serving library is asked directly, on the calling thread: the same
file, the same adapter, the same scale, never the training model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from agent_runtime.engine import adapterfile
from agent_runtime.engine.backend import Row, Version
from agent_runtime.engine.loading import Limits, load
from agent_runtime.engine.prompts import Prompts
from agent_runtime.errors import AdapterError, PromptTooLong
from agent_runtime.npc.prompt import Message, shortened

_BESIDE = 8
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
        self._loaded = load(model, Limits(threads, slots=_BESIDE, context=0))
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
        fitting.sort(key=lambda row: len(row[1]) + len(row[2]))
        done = 0
        for part in self._parts(fitting):
            scores = self._score([(prompt, reply) for _, prompt, reply in part])
            for (place, _, _), likely in zip(part, scores, strict=True):
                found[place] = likely
            done += len(part)
            progress(done)
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

    def _parts(
        self, rows: Sequence[tuple[int, list[int], list[int]]]
    ) -> Iterator[list[tuple[int, list[int], list[int]]]]:
        """Groups that fit into the cache side by side."""
        part: list[tuple[int, list[int], list[int]]] = []
        cells = 0
        for row in rows:
            size = len(row[1]) + len(row[2])
            if part and (len(part) == _BESIDE or cells + size > self._loaded.cells):
                yield part
                part, cells = [], 0
            part.append(row)
            cells += size
        if part:
            yield part

    def _score(self, rows: Sequence[tuple[list[int], list[int]]]) -> list[Likely]:
        model = self._loaded.model
        totals = [0.0] * len(rows)
        try:
            for number, (prompt, reply) in enumerate(rows):
                totals[number] = self._read(number, prompt, reply[0])
            for step in range(1, max(len(reply) for _, reply in rows)):
                going = [number for number, (_, reply) in enumerate(rows) if step < len(reply)]
                fed = [
                    Row(number, len(rows[number][0]) + step - 1, [rows[number][1][step - 1]], True)
                    for number in going
                ]
                for number, place in zip(going, model.decode(fed), strict=True):
                    totals[number] += self._logarithm(place, rows[number][1][step])
        finally:
            for number in range(len(rows)):
                model.drop(number)
        return [Likely(total, len(reply)) for total, (_, reply) in zip(totals, rows, strict=True)]

    def _read(self, sequence: int, prompt: Sequence[int], following: int) -> float:
        """Feed a prompt; the logarithm of the chance of what follows it."""
        batch, place = self._loaded.size.batch, -1
        for start in range(0, len(prompt), batch):
            end = min(start + batch, len(prompt))
            fed = Row(sequence, start, prompt[start:end], end == len(prompt))
            (place,) = self._loaded.model.decode([fed])
        return self._logarithm(place, following)

    def _logarithm(self, place: int, token: int) -> float:
        logits = self._loaded.model.logits(place).astype(np.float64)
        logits -= logits.max()
        return float(logits[token] - np.log(np.exp(logits).sum()))
