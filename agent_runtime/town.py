"""What the runtime does with each message of a game server: turns are taken, and everything is journaled.

A chat starts a task of its own, so that a long reply never holds up the messages behind it.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec
import structlog

from agent_runtime import __version__
from agent_runtime.bridge.messages import (
    PROTOCOL,
    ActionRequest,
    ActionResult,
    Chat,
    Event,
    Freeze,
    FromMod,
    ItemCount,
    Knowledge,
    NpcRecord,
    NpcState,
    PersonaCard,
    PlayerJoined,
    PlayerLeft,
    Rating,
    ReplyDelta,
    ReplyDone,
    Welcome,
)
from agent_runtime.bridge.session import Session
from agent_runtime.bridge.ulid import UlidMaker
from agent_runtime.clock import Clock
from agent_runtime.engine.interface import Engine
from agent_runtime.errors import TownsfolkError
from agent_runtime.journal.rows import Row
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.attention import Attention, TooFast, TooMany
from agent_runtime.npc.catalogue import Catalogue, CatalogueStore
from agent_runtime.npc.memory import Memory
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.policy import FREEZE_SECONDS, Allowed, Refused
from agent_runtime.npc.prompt import Exchange, Fact, Message, system_text
from agent_runtime.npc.text import clean_line
from agent_runtime.npc.turn import Account, Judged, Situation, Source, canned, run_turn
from agent_runtime.npc.world import facts_for
from agent_runtime.record import Line, Recorder
from agent_runtime.sections import Turn

EMPTY_CATALOGUE = Catalogue((), ())

log = structlog.get_logger(__name__)


class Town:
    """Implements `bridge.handler.Handler`. `heartbeat` is in seconds."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        recorder: Recorder,
        memory: Memory,
        catalogues: CatalogueStore,
        personas: Mapping[str, Persona],
        limits: Turn,
        clock: Clock,
        heartbeat: float,
        rng: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._recorder = recorder
        self._memory = memory
        self._catalogues = catalogues
        self._personas = personas
        self._limits = limits
        self._clock = clock
        self._heartbeat = heartbeat
        self._rng = rng or random.Random()
        self._ulids = UlidMaker(clock.wall)
        self._attention = Attention(clock, limits.per_player_per_10s, limits.npc_talks, limits.npc_queue)
        self._tasks: defaultdict[tuple[str, str], set[asyncio.Task[None]]] = defaultdict(set)
        self._quiet: set[asyncio.Task[None]] = set()

    async def opened(self, session: Session) -> Welcome:
        """A game server came: note it, and say what we need and who can live there."""
        hello = session.hello
        self._write(self._recorder.opened(session))
        self._warm(hello.npcs)
        log.info("game_server_connected", server=hello.server_name, engine=hello.engine, game=hello.game)
        return Welcome(
            protocol=PROTOCOL,
            runtime=__version__,
            session=session.id,
            send_catalogue=self._catalogues.get(hello.catalogue) is None,
            heartbeat=self._heartbeat,
            personas=tuple(_card(persona) for persona in self._personas.values()),
        )

    async def received(self, session: Session, message: FromMod) -> None:
        """Act on one message; whatever takes longer than a moment becomes a task."""
        match message:
            case Chat():
                self._spawn((session.id, message.player), self._answer(session, message))
            case Rating():
                self._spawn_quietly(self._rate(session, message))
            case Event():
                self._write(*self._recorder.events(session, message))
                if message.dropped:
                    log.warning("events_dropped", server=session.hello.server_name, count=message.dropped)
            case ActionResult():
                self._write(self._recorder.action_result(message))
            case NpcState():
                self._write(self._recorder.npc(session, message))
                if message.state == "spawned":
                    self._warm([message.npc])
            case Knowledge():
                catalogue = self._catalogues.add(message)
                if catalogue:
                    log.info("catalogue_learned", items=len(catalogue.items), game=session.hello.game)
            case PlayerLeft():
                self._attention.forget((session.server, message.player))
                self._cancel(session, message.player)
            case PlayerJoined():
                pass

    async def closed(self, session: Session) -> None:
        """The game server is gone: nobody is left to hear the replies under way."""
        self._cancel(session)
        self._write(self._recorder.closed(session))
        log.info("game_server_left", server=session.hello.server_name)

    async def drain(self, seconds: float) -> None:
        """Let replies under way finish for so long, then end them; write down what is left."""
        talking = [task for tasks in self._tasks.values() for task in tasks]
        if talking:
            _, unfinished = await asyncio.wait(talking, timeout=seconds)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        await asyncio.gather(*self._quiet, return_exceptions=True)

    def _persona_of(self, npc: NpcRecord) -> Persona:
        """The NPC's persona under the NPC's own name; one that is gone is played by the first there is."""
        persona = self._personas.get(npc.persona) or next(iter(self._personas.values()))
        return msgspec.structs.replace(persona, name=npc.name)

    def _warm(self, npcs: Iterable[NpcRecord]) -> None:
        """Compute the prompt prefixes of these NPCs before anybody talks with them."""
        texts = {system_text(self._persona_of(npc)) for npc in npcs}
        self._spawn_quietly(self._warm_texts(sorted(texts)))

    async def _warm_texts(self, texts: list[str]) -> None:
        for text in texts:
            await self._engine.warm((Message("system", text),))

    async def _answer(self, session: Session, chat: Chat) -> None:
        npc = session.npcs[chat.npc]
        persona = self._persona_of(npc)
        text = clean_line(chat.text)[: self._limits.max_line]
        line = Line(session, chat, npc, persona, text, self._ulids.make())
        player = (session.server, chat.player)
        try:
            self._attention.note_line(player)
            async with self._attention.turn(chat.npc, (chat.npc, *player)):
                await self._take_turn(line)
        except TooFast:
            self._excuse(line, "slow_down")
        except TooMany:
            self._excuse(line, "busy")
        except Exception:
            log.exception("turn_crashed", npc=persona.name)
            self._excuse(line, "late")

    async def _take_turn(self, line: Line) -> None:
        session, chat = line.session, line.chat
        player = self._recorder.pseudonyms.of(session.server, chat.player)
        catalogue = self._catalogues.get(session.hello.catalogue) or EMPTY_CATALOGUE
        facts = facts_for(line.text, chat.player, chat.snapshot, catalogue, self._limits.facts)
        history = await self._memory.recall(chat.npc, player) if self._limits.history else []
        situation = Situation(
            line.persona,
            chat.player,
            line.text,
            history[-self._limits.history :],
            facts,
            chat.snapshot,
            catalogue,
        )
        turn = run_turn(self._engine, situation, self._clock, self._rng, self._limits.deadline_s)
        actions: list[Row] = []
        number = 0
        async with aclosing(turn) as events:
            async for event in events:
                if isinstance(event, Judged):
                    actions.append(self._act(line, event))
                elif isinstance(event, Account):
                    self._finish(line, event, facts, actions)
                    if event.source == "model":
                        await self._memory.keep(chat.npc, player, Exchange(line.text, event.reply))
                else:
                    session.send(
                        ReplyDelta(
                            line.reply, chat.id, chat.npc, chat.player, number, event.text, event.sentence
                        )
                    )
                    number += 1

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

    def _excuse(self, line: Line, source: Source) -> None:
        """A canned line instead of a turn."""
        self._finish(line, Account(source, canned(line.persona.canned, source, self._rng)), [], [])

    def _finish(self, line: Line, account: Account, facts: list[Fact], actions: list[Row]) -> None:
        """Tell the game that the reply is complete, and write the turn down."""
        session, chat = line.session, line.chat
        session.send(ReplyDone(line.reply, chat.id, chat.npc, chat.player, account.reply, account.source))
        row = self._recorder.turn(line, account, facts, self._engine.info)
        self._write(row, *actions)

    async def _rate(self, session: Session, message: Rating) -> None:
        """Ack only what is on disk: an unacked rating comes again."""
        await self._journal.add(self._recorder.rating(session, message))
        session.ack(message.id)

    def _write(self, *rows: Row) -> None:
        self._spawn_quietly(self._journal.add(*rows))

    def _spawn_quietly(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logging_failure(work))
        self._quiet.add(task)
        task.add_done_callback(self._quiet.discard)

    def _spawn(self, owner: tuple[str, str], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[owner].add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks[owner].discard(task)
            if not self._tasks[owner]:
                del self._tasks[owner]

        task.add_done_callback(done)

    def _cancel(self, session: Session, player: str | None = None) -> None:
        for owner, tasks in list(self._tasks.items()):
            if owner[0] == session.id and player in (None, owner[1]):
                for task in list(tasks):
                    task.cancel()


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
