"""What the runtime does with each message of a game server: turns are taken, and everything is journaled.

A chat starts a task of its own, so that a long reply never holds up the messages behind it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import msgspec
import structlog

from agent_runtime import __version__
from agent_runtime.bridge.codes import Code
from agent_runtime.bridge.messages import (
    PROTOCOL,
    ActionResult,
    Chat,
    Consent,
    Demonstration,
    ErrorReply,
    Event,
    FromMod,
    Knowledge,
    Notice,
    NpcState,
    PlayerJoined,
    PlayerLeft,
    Rating,
    Welcome,
)
from agent_runtime.bridge.parts import ItemCount, NpcRecord, PersonaCard
from agent_runtime.bridge.session import Session
from agent_runtime.errors import MessageError, TownsfolkError
from agent_runtime.journal.rows import DemonstrationRow, RatingRow, Row
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import system_text
from agent_runtime.town.notices import about_journal, about_mod, about_personas
from agent_runtime.town.services import Services
from agent_runtime.town.talks import Answered, Talks

log = structlog.get_logger(__name__)


class Town:
    """Implements `bridge.handler.Handler`. `heartbeat` is in seconds; `consent` is what holds for players
    who have not decided."""

    def __init__(
        self,
        services: Services,
        personas: Mapping[str, Persona],
        heartbeat: float,
        consent: Literal["ask", "opt-out"] = "ask",
    ) -> None:
        self._serving = services.serving
        self._clock = services.clock
        self._journal = services.journal
        self._queries = services.queries
        self._recorder = services.recorder
        self._underway = services.underway
        self._decisions = services.decisions
        self._catalogues = services.catalogues
        self._personas = personas
        self._stand_in = next(iter(personas))
        self._heartbeat = heartbeat
        self._consent = consent
        self._talks = Talks(services, self._write, random.Random())
        self._sessions: set[Session] = set()
        self._quiet: set[asyncio.Task[None]] = set()
        self._reading_ahead: set[asyncio.Task[None]] = set()

    async def opened(self, session: Session) -> tuple[Welcome, *tuple[Notice, ...]]:
        """A game server came: note it, and say what we need, who can live there, and what does not fit."""
        hello = session.hello
        alarm = self._journal.alarm
        self._write(self._recorder.opened(session))
        if not alarm:
            known = await self._queries.npcs(session.server)
            self._write(*self._recorder.npcs_met(session, known))
        self._warm(hello.npcs)
        self._sessions.add(session)
        log.info("game_server_connected", server=hello.server_name, engine=hello.engine, game=hello.game)
        welcome = Welcome(
            protocol=PROTOCOL,
            runtime=__version__,
            session=session.id,
            send_catalogue=self._catalogues.get(hello.catalogue) is None,
            heartbeat=self._heartbeat,
            personas=tuple(_card(persona) for persona in self._personas.values()),
            consent=self._consent,
        )
        notices = [*about_mod(hello), *about_personas(hello.npcs, self._personas, self._stand_in)]
        _log_notices(session, notices)
        if alarm:
            notices.append(about_journal(alarm))
        return (welcome, *notices)

    async def received(self, session: Session, message: FromMod) -> None:
        """Act on one message; whatever takes longer than a moment becomes a task."""
        match message:
            case Chat():
                npc = session.npcs[message.npc]
                came = self._clock.monotonic()
                answer = partial(self._talks.answer, session, message, npc, self._persona_of(npc), came)
                self._underway.begin(session.id, self._pseudonym(session, message.player), answer)
            case Rating():
                row = self._recorder.rating(session, message)
                self._store(session, message.id, self._judge(session, message, row))
            case Demonstration():
                shown = self._recorder.demonstration(session, message)
                self._store(session, message.id, self._judge(session, message, shown))
            case Consent():
                decided = self._recorder.consent(session, message)
                self._store(session, message.id, self._decisions.decide(decided))
            case Event():
                self._write(*self._recorder.events(session, message))
                if message.dropped:
                    log.warning("events_dropped", server=session.hello.server_name, count=message.dropped)
            case ActionResult():
                self._write(self._recorder.action_result(message))
            case NpcState():
                self._write(self._recorder.npc(session, message.npc, message.state))
                if message.state == "spawned":
                    self._settle(session, message.npc)
            case Knowledge():
                catalogue = self._catalogues.add(message)
                if catalogue:
                    log.info("catalogue_learned", items=len(catalogue.items), game=session.hello.game)
            case PlayerLeft():
                self._talks.forget(session.server, message.player)
                self._underway.end(session=session.id, player=self._pseudonym(session, message.player))
            case PlayerJoined():
                pass

    async def closed(self, session: Session) -> None:
        """The game server is gone: nobody is left to hear the replies under way."""
        self._sessions.discard(session)
        self._underway.end(session=session.id)
        self._write(self._recorder.closed(session))
        log.info("game_server_left", server=session.hello.server_name, why=session.ended)

    def alarmed(self, alarm: str | None) -> None:
        """The journal cannot be written, for that reason, or can be again: all game servers are told."""
        if alarm:
            log.error("journal_does_not_write", why=alarm)
        else:
            log.info("journal_writes_again")
        for session in self._sessions:
            session.send(about_journal(alarm))

    async def drain(self, seconds: float) -> None:
        """Let replies under way finish for so long, then end them; write down what is left."""
        talking = self._underway.tasks()
        if talking:
            _, unfinished = await asyncio.wait(talking, timeout=seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        for reading in self._reading_ahead:
            reading.cancel()
        await asyncio.gather(*self._quiet, return_exceptions=True)

    def _persona_of(self, npc: NpcRecord) -> Persona:
        """The NPC's persona under the NPC's own name; for one that there is not, the first one stands in."""
        persona = self._personas.get(npc.persona) or self._personas[self._stand_in]
        return msgspec.structs.replace(persona, name=npc.name)

    def _settle(self, session: Session, npc: NpcRecord) -> None:
        """A new NPC: be ready for it, and say when it has no persona."""
        self._warm([npc])
        notices = about_personas([npc], self._personas, self._stand_in)
        _log_notices(session, notices)
        for notice in notices:
            session.send(notice)

    def _warm(self, npcs: Iterable[NpcRecord]) -> None:
        """Compute the prompt prefixes of these NPCs before anybody talks with them."""
        personas = {(system_text(one), one.adapter): one for one in map(self._persona_of, npcs)}
        task = self._spawn_quietly(self._warm_all(personas.values()))
        self._reading_ahead.add(task)
        task.add_done_callback(self._reading_ahead.discard)

    async def _warm_all(self, personas: Iterable[Persona]) -> None:
        for persona in personas:
            await self._talks.warm(persona)

    async def _judge(
        self, session: Session, message: Rating | Demonstration, row: RatingRow | DemonstrationRow
    ) -> None:
        """Store what a player thinks of a reply. Only who was answered may judge. What was to be better about
        a reply that was erased since goes with it."""
        async with self._decisions.in_order(row.player):
            answered = self._talks.answered(message.reply)
            if answered is None or isinstance(row, DemonstrationRow):
                turn = await self._queries.turn(message.reply)
                if turn and turn.id == message.reply:
                    answered = Answered.of(turn)
                    if isinstance(row, DemonstrationRow) and not turn.line:
                        return
            if not answered or answered.player != row.player:
                why = f"no reply {message.reply} was made to {message.player}"
                log.warning("judgement_refused", server=session.hello.server_name, why=why)
                raise MessageError(Code.UNKNOWN_REPLY, why, of=message.id)
            await self._journal.add(row)
        if isinstance(row, RatingRow) and answered.trial:
            self._serving.rated(row.player, answered.version, row.turn, row.value, answered.at)

    def _store(self, session: Session, message: str, storing: Coroutine[Any, Any, Any]) -> None:
        """Ack only what is on disk; of what cannot be stored the mod is told, and sends it again later."""

        async def answer() -> None:
            try:
                await storing
            except MessageError as error:
                session.send(ErrorReply(error.code, str(error), message))
            except TownsfolkError as error:
                session.send(ErrorReply(Code.INTERNAL, str(error), message))
                raise
            else:
                session.ack(message)

        self._spawn_quietly(answer())

    def _write(self, *rows: Row) -> None:
        self._spawn_quietly(self._journal.add(*rows))

    def _spawn_quietly(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(_logging_failure(work))
        self._quiet.add(task)
        task.add_done_callback(self._quiet.discard)
        return task

    def _pseudonym(self, session: Session, player: str) -> str:
        return self._recorder.pseudonyms.of(session.server, player)


def _log_notices(session: Session, notices: list[Notice]) -> None:
    """Words for a game server's log stand in our own, too."""
    for notice in notices:
        log.warning("game_server_warned", server=session.hello.server_name, text=notice.text)


async def _logging_failure(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except TownsfolkError as error:
        log.error("background_work_failed", kind=type(error).__name__, error=str(error))


def _card(persona: Persona) -> PersonaCard:
    lines = persona.canned
    return PersonaCard(
        persona=persona.id,
        name=persona.name,
        role=persona.role,
        inventory=tuple(ItemCount(item, count) for item, count in persona.inventory.items()),
        greeting=lines.greeting,
        offline=lines.offline,
        late=lines.late,
        busy=lines.busy,
        slow_down=lines.slow_down,
        idle=lines.idle,
    )
