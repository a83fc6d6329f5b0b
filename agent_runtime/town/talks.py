"""One line of a player comes in; deltas, actions and the end of the reply go to the game, and the whole
turn to the journal. Who has to wait, or said too much, gets a canned line of the persona.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import Self

import structlog

from agent_runtime.bridge.messages import ActionRequest, Chat, Freeze, ReplyDelta, ReplyDone
from agent_runtime.bridge.parts import NpcRecord, ReplySource
from agent_runtime.bridge.session import Session
from agent_runtime.bridge.ulid import UlidMaker
from agent_runtime.journal.rows import Row, TurnRow
from agent_runtime.npc.attention import Attention, TooFast, TooLate, TooMany
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.policy import FREEZE_SECONDS, Allowed, Refused
from agent_runtime.npc.prompt import Exchange, Fact, Message, system_text
from agent_runtime.npc.situation import latest, situation_of
from agent_runtime.npc.speech import Words
from agent_runtime.npc.text import clean_line
from agent_runtime.npc.turn import Account, Judged, Situation, canned, read_ahead, run_turn
from agent_runtime.serving.persona_lanes import PersonaLanes
from agent_runtime.serving.served import NO_VERSION, Served, is_trial
from agent_runtime.town.record import Line
from agent_runtime.town.services import Services
from agent_runtime.window import Window

EMPTY_CATALOGUE = Catalogue((), ())
ANSWERED_KEPT = 10_000
AT_ONCE_MS = 250.0
"""What waited longer for its turn says nothing about the version that took it: the wait is in its times."""
CROWD_SECONDS = 10.0
"""Turns that began within so long of each other share the engine."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply that was made: to which player (a pseudonym), by which version (not on `trial`: by a persona's
    own adapter), when (seconds, wall clock)."""

    player: str
    version: int
    trial: bool
    at: float

    @classmethod
    def of(cls, row: TurnRow) -> Self:
        """What the journal's row of a turn says of its reply."""
        return cls(row.player, row.version, is_trial(row.version, row.adapter), row.said_at.timestamp())


class Talks:
    """Takes the turns of all talks. `write` hands rows to the journal without waiting."""

    def __init__(self, services: Services, write: Callable[..., None], rng: random.Random) -> None:
        self._engine = services.engine
        self._serving = services.serving
        self._lanes = PersonaLanes(services.engine, services.serving.beside_versions)
        self._recorder = services.recorder
        self._memory = services.memory
        self._catalogues = services.catalogues
        self._limits = limits = services.limits
        self._clock = clock = services.clock
        self._write = write
        self._rng = rng
        self._ulids = UlidMaker(clock.wall)
        self._attention = Attention(clock, limits.per_player_per_10s, limits.npc_talks, limits.npc_queue)
        self._begun = Window(CROWD_SECONDS)
        self._answered: dict[str, Answered] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def answered(self, reply: str) -> Answered | None:
        """To whom one of the latest replies was made, and by whom. Its row may not be committed yet."""
        return self._answered.get(reply)

    def forget(self, server: str, player: str) -> None:
        """The player left the server."""
        self._attention.forget((server, player))

    async def warm(self, persona: Persona) -> None:
        """Compute a persona's prompt prefix, for whoever answers for it. Raises `EngineError`."""
        prefix = (Message("system", system_text(persona)),)
        own = await self._lanes.served(persona)
        await (self._engine.warm(prefix, own.lane) if own else self._serving.warm(prefix))

    async def answer(
        self, session: Session, chat: Chat, npc: NpcRecord, persona: Persona, came: float
    ) -> None:
        """Answer one line, in its turn. The deadline counts from when it `came` (monotonic seconds), waiting
        and all. Never raises but when cancelled: the player hears why not."""
        text = clean_line(chat.text)[: self._limits.max_line]
        line = Line(session, chat, npc, persona, text, self._ulids.make(), came)
        player = (session.server, chat.player)
        try:
            self._attention.note_line(player)
            async with self._attention.turn(chat.npc, (chat.npc, *player), self._limits.deadline_s):
                await self._take_turn(line)
        except TooFast:
            self._excuse(line, "slow_down")
        except TooMany:
            self._excuse(line, "busy")
        except TooLate:
            log.warning("turn_failed", npc=persona.name, error="its turn did not come before the deadline")
            self._excuse(line, "late")
        except Exception:
            log.exception("turn_crashed", npc=persona.name)
            self._excuse(line, "late")

    async def _take_turn(self, line: Line) -> None:
        session, chat = line.session, line.chat
        player = self._recorder.pseudonyms.of(session.server, chat.player)
        catalogue = self._catalogues.get(session.hello.catalogue) or EMPTY_CATALOGUE
        talk = await self._memory.recall(chat.npc, player)
        situation = situation_of(
            line.persona, chat.player, line.text, talk, chat.snapshot, catalogue, self._limits
        )
        own = await self._lanes.served(line.persona)
        with nullcontext(own) if own else self._serving.turn(player) as served:
            await self._speak(line, situation, player, served)

    async def _speak(self, line: Line, situation: Situation, player: str, served: Served) -> None:
        """The turn itself, by the version that it began with."""
        facts, actions, said = list(situation.facts), list[Row](), list[str]()
        account = Account(began=line.came)
        at_once = self._ms_since(line) < AT_ONCE_MS
        self._begun.add(self._clock.monotonic())
        turn = run_turn(
            self._engine, situation, self._clock, self._rng, self._limits.deadline_s, served.lane, account
        )
        try:
            async with aclosing(turn) as events:
                async for event in events:
                    if isinstance(event, Judged):
                        actions.append(self._act(line, event))
                    elif isinstance(event, Words):
                        self._say(line, event, len(said))
                        said.append(event.text)
        except asyncio.CancelledError:
            # The player left in mid-reply: nobody hears the rest, but what was said was said.
            account.reply, account.total_ms = "".join(said), self._ms_since(line)
            self._note(line, account, facts, actions, served)
            raise
        if served.trial and at_once:
            account.crowd = max(1, self._begun.count(self._clock.monotonic()))
            self._serving.note(served.version, account)
        self._finish(line, account, facts, actions, served)
        if account.source == "model" and account.reply:
            exchange = Exchange(line.text, account.reply)
            await self._memory.keep(line.chat.npc, player, exchange)
            self._read_ahead(situation, exchange, served)

    def _say(self, line: Line, words: Words, number: int) -> None:
        chat = line.chat
        line.session.send(
            ReplyDelta(line.reply, chat.id, chat.npc, chat.player, number, words.text, words.sentence)
        )

    def _read_ahead(self, situation: Situation, exchange: Exchange, served: Served) -> None:
        """The player reads now, and the engine has time for the history of the next turn."""
        history = latest([*situation.history, exchange], self._limits)
        if history:
            task = asyncio.create_task(read_ahead(self._engine, situation, history, served.lane))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    def _act(self, line: Line, judged: Judged) -> Row:
        """Send what policy allowed, freeze the NPC for what it must never try; either way note it."""
        action, verdict, chat = self._ulids.make(), judged.verdict, line.chat
        if isinstance(verdict, Allowed):
            line.session.send(
                ActionRequest(
                    action,
                    line.reply,
                    chat.npc,
                    chat.player,
                    verdict.name,
                    dict(verdict.arguments),
                    chat.snapshot.taken,
                )
            )
        elif isinstance(verdict, Refused) and verdict.violation:
            line.session.send(Freeze(chat.npc, FREEZE_SECONDS, verdict.reason))
            log.warning("action_violation", npc=line.persona.name, action=verdict.name, why=verdict.reason)
        return self._recorder.action(action, line.reply, judged)

    def _excuse(self, line: Line, source: ReplySource) -> None:
        """A canned line instead of a turn."""
        account = Account(source, canned(line.persona.canned, source, self._rng))
        account.total_ms = self._ms_since(line)
        self._finish(line, account, [], [], NO_VERSION)

    def _ms_since(self, line: Line) -> float:
        return (self._clock.monotonic() - line.came) * 1000

    def _finish(
        self, line: Line, account: Account, facts: list[Fact], actions: list[Row], served: Served
    ) -> None:
        """Tell the game that the reply is complete, and write the turn down."""
        chat = line.chat
        line.session.send(
            ReplyDone(line.reply, chat.id, chat.npc, chat.player, account.reply, account.source)
        )
        self._note(line, account, facts, actions, served)

    def _note(
        self, line: Line, account: Account, facts: list[Fact], actions: list[Row], served: Served
    ) -> None:
        """Hand the turn to the journal, and remember to whom the reply was made."""
        row = self._recorder.turn(line, account, facts, self._engine.info, served)
        self._answered[row.id] = Answered.of(row)
        if len(self._answered) > ANSWERED_KEPT:
            del self._answered[next(iter(self._answered))]
        self._write(row, *actions)
