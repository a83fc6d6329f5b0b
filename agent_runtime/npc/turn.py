"""One turn: a player's line, the world and the talk so far come in; words, judged actions and at last
the whole account of the turn go out, as they come.

A turn never ends in silence: the model's words or an action it took, or a canned line that says why not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec
import structlog

from agent_runtime.bridge.parts import ReplySource, Snapshot
from agent_runtime.clock import Clock
from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Finish, Request
from agent_runtime.errors import EngineBusy, EngineDown, EngineError, PromptTooLong
from agent_runtime.npc import policy
from agent_runtime.npc.actions import Proposal
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.grammar import action_grammar
from agent_runtime.npc.persona import Canned, Persona
from agent_runtime.npc.prompt import Exchange, Fact, Message, render, shortened
from agent_runtime.npc.speech import Malformed, Speech, Utterance, Words

GRACE_SECONDS = 0.5
"""How long past its deadline an engine may take to say so."""
_SEEDS = 2**31

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a turn starts from. `line` is already cleaned."""

    persona: Persona
    player: str
    line: str
    history: Sequence[Exchange]
    facts: Sequence[Fact]
    snapshot: Snapshot
    catalogue: Catalogue

    @property
    def talk(self) -> str:
        """Identifies the talk of this persona and this player to the engine."""
        return f"{self.persona.id}/{self.player}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposed action and what policy made of it."""

    proposal: Proposal
    verdict: policy.Verdict


@dataclass(slots=True)
class Account:
    """The whole turn, for the journal. `began` is when the line came, in seconds of the clock; times are
    milliseconds from then, None when it never came. A reply that was `cut` has all the sentences that its
    persona may say, and no `finish`. `crowd` is how many turns, this one among them, began about then."""

    source: ReplySource = "model"
    reply: str = ""
    raw: str = ""
    messages: tuple[Message, ...] = ()
    quoted: list[int] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    seed: int | None = None
    finish: Finish | None = None
    # The engine's process was not there, or ended meanwhile: no fault of the version that should have spoken.
    down: bool = False
    cut: bool = False
    first_words_ms: float | None = None
    first_sentence_ms: float | None = None
    total_ms: float = 0.0
    began: float = 0.0
    crowd: int = 1

    @property
    def flag(self) -> str:
        """Why somebody should look at this turn, or nothing."""
        for judged in self.judged:
            if isinstance(judged.verdict, policy.Refused) and judged.verdict.violation:
                return judged.verdict.reason
        return f"malformed action: {self.malformed[0].reason}" if self.malformed else ""


TurnEvent = Words | Judged | Account


def canned(lines: Canned, source: ReplySource, rng: random.Random) -> str:
    """A canned line of the persona for this reason."""
    choices: tuple[str, ...] = getattr(lines, source)
    return rng.choice(choices)


async def run_turn(
    engine: Engine,
    situation: Situation,
    clock: Clock,
    rng: random.Random,
    deadline_seconds: float,
    lane: str = BASE_LANE,
    account: Account | None = None,
) -> AsyncGenerator[TurnEvent, None]:
    """Words and judged actions as they come, then the `Account`; `lane` is the version that answers. The
    deadline counts from when the line came: now, or when the given `account` began, which is filled in as
    the turn goes on. Never raises for a failing engine."""
    account = account or Account(began=clock.monotonic())
    started = account.began
    deadline = started + deadline_seconds
    sampling = situation.persona.sampling
    # Drawn here, because a reply that is cut never tells the engine's own.
    account.seed = sampling.seed or rng.randrange(1, _SEEDS)
    speech = Speech(situation.facts, sampling.max_sentences)
    try:
        async with aclosing(_generate(engine, situation, clock, deadline, account, lane)) as chunks:
            async for text in chunks:
                account.raw += text
                for event in _events(speech.feed(text), situation, account, started, clock):
                    yield event
                if speech.full:
                    account.cut = True
                    account.raw = account.raw.removesuffix(speech.surplus)
                    break
    except EngineBusy:
        account.source = "busy"
    except (EngineError, TimeoutError) as error:
        account.source = "late"
        account.down = isinstance(error, EngineDown)
        log.warning("turn_failed", npc=situation.persona.name, error=str(error) or "the engine hangs")
    for event in _events(speech.end(), situation, account, started, clock):
        yield event
    account.quoted = speech.quoted
    account.reply = speech.said
    acted = any(isinstance(judged.verdict, policy.Allowed) for judged in account.judged)
    if speech.said or acted:
        account.source = "model"
    else:
        if account.source == "model":
            account.source = "late"
        account.reply = canned(situation.persona.canned, account.source, rng)
    account.total_ms = (clock.monotonic() - started) * 1000
    yield account


async def read_ahead(engine: Engine, situation: Situation, history: Sequence[Exchange], lane: str) -> None:
    """Let the engine read what the next prompt of this talk will begin with, while nobody waits for it.
    Never raises for a failing engine."""
    messages = render(situation.persona, history, [], situation.player, "")[:-1]
    try:
        await engine.warm(messages, lane, situation.talk)
    except EngineError as error:
        log.debug("not_read_ahead", npc=situation.persona.name, why=str(error))


async def _generate(
    engine: Engine, situation: Situation, clock: Clock, deadline: float, account: Account, lane: str
) -> AsyncGenerator[str, None]:
    """The model's text. A talk too long for the context window is told with less of its history.

    Raises `TimeoutError` when the engine does not keep the deadline by itself.
    """
    messages = render(situation.persona, situation.history, situation.facts, situation.player, situation.line)
    while True:
        account.messages = messages
        request = Request(
            messages,
            msgspec.structs.replace(situation.persona.sampling, seed=account.seed),
            deadline,
            lane=lane,
            talk=situation.talk,
            player=situation.player,
            grammar=action_grammar(),
        )
        try:
            async with aclosing(engine.generate(request)) as stream:
                while account.finish is None:
                    async with asyncio.timeout(deadline + GRACE_SECONDS - clock.monotonic()):
                        piece = await anext(stream)
                    if isinstance(piece, Chunk):
                        yield piece.text
                    else:
                        account.finish = piece
            return
        except PromptTooLong:
            less = shortened(messages)
            if less is None:
                raise
            messages = less


def _events(
    utterances: Sequence[Utterance], situation: Situation, account: Account, started: float, clock: Clock
) -> list[Words | Judged]:
    events: list[Words | Judged] = []
    for utterance in utterances:
        if isinstance(utterance, Words):
            elapsed = (clock.monotonic() - started) * 1000
            if account.first_words_ms is None:
                account.first_words_ms = elapsed
            if utterance.sentence and account.first_sentence_ms is None:
                account.first_sentence_ms = elapsed
            events.append(utterance)
        elif isinstance(utterance, Malformed):
            account.malformed.append(utterance)
        else:
            verdict = policy.judge(
                utterance,
                situation.persona,
                situation.player,
                situation.snapshot,
                situation.facts,
                situation.catalogue,
            )
            judged = Judged(utterance, verdict)
            account.judged.append(judged)
            events.append(judged)
    return events
