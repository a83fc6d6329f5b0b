"""Two sides, each with an engine of its own, and prompts come in; what each answers goes out, and how fast.

Both are asked the same, with the same seeds, and at the same time, so that two cores are both at work. Each
is asked for one reply at a time: several in one batch take longer (docs/experiments.md). Replies are the
model's own wording; faults are judged on what the player would read.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from agent_runtime.engine.interface import Chunk, Engine, Finish, Priority, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import PromptTooLong
from agent_runtime.npc.grammar import action_grammar
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message, render, shortened
from learner.base.cases import KNOWN, Case, read_cases
from learner.base.checks import faults
from learner.base.evaluate import shipped_sampling
from learner.gate.evidence import SIDES, Answer, Figures, Side

GREEDY = Sampling(temperature=0.0)
_PROMPT = "prompt"  # to the engine, the draws of one prompt are turns of one talk
_CACHE_MB = 32  # for the beginnings that prompts share: they come once each, and none is taken up again later

Progress = Callable[[int], None]


class Voice(NamedTuple):
    """Who answers for a side."""

    engine: Engine
    lane: str


Voices = Mapping[Side, Voice]


@dataclass(frozen=True, slots=True)
class Said:
    """A reply, and the engine's figures; none for a prompt that does not fit."""

    text: str
    finish: Finish | None


@asynccontextmanager
async def engines(model: Path, threads: int = 1) -> AsyncIterator[dict[Side, LlamaEngine]]:
    """One for each side, for one talk at a time; they end with the context. Raises `ModelFileError`."""
    async with AsyncExitStack() as stack:
        started: dict[Side, LlamaEngine] = {}
        for side in SIDES:
            started[side] = LlamaEngine(model, threads=threads, slots=1, cache_mb=_CACHE_MB)
            await started[side].start()
            stack.push_async_callback(started[side].close)
        yield started


async def say(
    engine: Engine, lane: str, messages: Sequence[Message], sampling: Sampling, talk: str = ""
) -> Said:
    """One reply. As in serving, a talk too long for the context is told with less of its history; what was
    read for the last reply of the same `talk` is not read again."""
    kept = tuple(messages)
    while True:
        words, finish = [], None
        request = Request(
            kept,
            sampling,
            deadline=inf,
            lane=lane,
            talk=talk,
            priority=Priority.PLAYER,
            grammar=action_grammar(),
        )
        try:
            async with aclosing(engine.generate(request)) as stream:
                async for event in stream:
                    if isinstance(event, Chunk):
                        words.append(event.text)
                    else:
                        finish = event
            return Said("".join(words), finish)
        except PromptTooLong:
            if (less := shortened(kept)) is None:
                return Said("", None)
            kept = less


def slice_of(case: Case) -> str:
    """Cases in wordings that training has seen belong to the slice of the same kind."""
    name = case.slice.removesuffix(KNOWN)
    return "handwritten" if name.startswith("handwritten") else name


def choose_cases(folder: Path, per_slice: int, whole: Collection[str] = ()) -> list[Case]:
    """The first so many cases of each slice, those of every file in turn; all of the slices named `whole`."""
    by_slice: dict[str, list[list[Case]]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        in_file: dict[str, list[Case]] = defaultdict(list)
        for case in read_cases(path):
            in_file[slice_of(case)].append(case)
        for name, cases in in_file.items():
            by_slice[name].append(cases)
    chosen = []
    for name, files in by_slice.items():
        turns = [case for number in range(max(map(len, files))) for case in _nth(files, number)]
        chosen += turns if name in whole else turns[:per_slice]
    return chosen


def _nth(files: Sequence[Sequence[Case]], number: int) -> list[Case]:
    return [cases[number] for cases in files if number < len(cases)]


async def ask_cases(
    voices: Voices, cases: Sequence[Case], seeds: Sequence[int], progress: Progress
) -> list[Answer]:
    """Every case, with each seed (see `drawn`), of both sides."""
    said = await reply_all(voices, [prompt_of(case) for case in cases], seeds, progress)
    found = []
    for number, case in enumerate(cases):
        for seed in seeds:
            for side in SIDES:
                reply = said[number, seed, side]
                wrong = tuple(faults(case.check, reply, case.facts))
                found.append(Answer(case.id, slice_of(case), side, seed, reply, wrong))
    return found


def prompt_of(case: Case) -> tuple[Message, ...]:
    """What the model is asked."""
    return render(case.persona, case.history, case.facts, case.player, case.line)


@cache
def drawn(seed: int) -> Sampling:
    """As the shipped personas draw, with this seed; 0 is greedy. What players never meet, such as a higher
    temperature, says nothing about what they will."""
    return msgspec.structs.replace(shipped_sampling(), seed=seed) if seed else GREEDY


async def reply_all(
    voices: Voices, prompts: Sequence[Sequence[Message]], seeds: Sequence[int], progress: Progress
) -> dict[tuple[int, int, Side], str]:
    """What each side says to each prompt, by the prompt's number, seed and side."""
    found: dict[tuple[int, int, Side], str] = {}

    async def ask(side: Side, voice: Voice) -> None:
        for number, messages in enumerate(prompts):
            for seed in seeds:
                said = await say(*voice, messages, drawn(seed), _PROMPT)
                found[number, seed, side] = said.text
                progress(len(found))

    await asyncio.gather(*(ask(side, voice) for side, voice in voices.items()))
    return found


async def speed(
    voices: Voices, cases: Sequence[Case], memory_mb: Mapping[Side, float]
) -> dict[Side, Figures]:
    """Both sides in turns, so that whatever else the machine does meets both alike. Nothing is cached for
    either, except what the prompts themselves share."""
    firsts: dict[Side, list[float]] = {side: [] for side in SIDES}
    rates: dict[Side, list[float]] = {side: [] for side in SIDES}
    for number, case in enumerate(cases):
        messages = prompt_of(case)
        for side in SIDES if number % 2 else reversed(SIDES):
            began = time.monotonic()
            said = await say(*voices[side], messages, GREEDY)
            finish = said.finish
            if number == 0 or finish is None or finish.completion_tokens < 2:
                continue  # the first reply of a side pages its weights in
            firsts[side].append(finish.first_token_ms)
            rest = max((time.monotonic() - began) * 1000 - finish.first_token_ms, 1e-3)
            rates[side].append((finish.completion_tokens - 1) * 1000 / rest)
    if not all(firsts.values()):
        return {}
    return {
        side: Figures(
            len(firsts[side]),
            round(median(firsts[side]), 3),
            round(median(rates[side]), 3),
            round(memory_mb[side], 2),
        )
        for side in SIDES
    }
