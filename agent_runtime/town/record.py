"""What happened comes in, journal rows go out. Rows name players by pseudonyms; the texts in them, from the
prompt to an action's arguments, hold names as the NPC read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from agent_runtime.bridge.messages import ActionResult, Chat, Consent, Demonstration, Event, Rating
from agent_runtime.bridge.parts import NpcRecord, Position
from agent_runtime.bridge.session import Session
from agent_runtime.clock import Clock
from agent_runtime.engine.interface import ModelInfo
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.rows import (
    ActionResultRow,
    ActionRow,
    ConsentRow,
    DemonstrationRow,
    EventRow,
    NpcRow,
    RatingRow,
    Row,
    SessionEndRow,
    SessionRow,
    TurnRow,
)
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.policy import Allowed, Refused
from agent_runtime.npc.prompt import Fact, template_hash
from agent_runtime.npc.text import clean_line
from agent_runtime.npc.turn import Account, Judged
from agent_runtime.serving.served import Served


@dataclass(frozen=True, slots=True)
class Line:
    """A player's line on its way: who said it to whom, the cleaned `text`, the id of the `reply`, and when it
    `came`, in seconds of the clock."""

    session: Session
    chat: Chat
    npc: NpcRecord
    persona: Persona
    text: str
    reply: str
    came: float


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes the rows of the journal."""

    clock: Clock
    pseudonyms: Pseudonyms

    def opened(self, session: Session) -> SessionRow:
        hello = session.hello
        return SessionRow(
            id=session.id,
            server=hello.server,
            server_name=hello.server_name,
            engine=hello.engine,
            game=hello.game,
            mod=hello.mod,
            opened_at=self._now(),
        )

    def closed(self, session: Session) -> SessionEndRow:
        return SessionEndRow(id=session.id, closed_at=self._now(), reason=session.ended)

    def turn(
        self, line: Line, account: Account, facts: list[Fact], model: ModelInfo, served: Served
    ) -> TurnRow:
        """One whole turn and the version that took it; a canned one has no prompt and no figures of the
        engine."""
        session, chat, npc, persona = line.session, line.chat, line.npc, line.persona
        finish = account.finish
        return TurnRow(
            id=line.reply,
            chat=chat.id,
            session=session.id,
            server=session.server,
            server_name=session.hello.server_name,
            npc=npc.npc,
            npc_name=npc.name,
            persona=persona.id,
            player=self.pseudonyms.of(session.server, chat.player),
            said_at=self._now(),
            how=chat.how,
            line=line.text,
            reply=account.reply,
            raw=account.raw,
            source=account.source,
            version=served.version,
            base=model.digest,
            adapter=served.adapter,
            template=template_hash(),
            prompt=account.messages,
            facts=tuple(facts),
            quoted=tuple(account.quoted),
            sampling=persona.sampling if account.messages else None,
            seed=finish.seed if finish else account.seed,
            prompt_tokens=finish.prompt_tokens if finish else None,
            cached_tokens=finish.cached_tokens if finish else None,
            completion_tokens=finish.completion_tokens if finish else None,
            first_token_ms=finish.first_token_ms if finish else None,
            first_sentence_ms=account.first_sentence_ms,
            total_ms=account.total_ms,
            finish=finish.reason if finish else "stop" if account.cut else None,
            flagged=bool(account.flag),
            flag_reason=account.flag,
        )

    def action(self, id: str, reply: str, judged: Judged) -> ActionRow:
        verdict = judged.verdict
        return ActionRow(
            id=id,
            turn=reply,
            name=verdict.name,
            arguments=dict(verdict.arguments),
            verdict="allowed" if isinstance(verdict, Allowed) else "refused",
            reason=verdict.reason if isinstance(verdict, Refused) else "",
        )

    def action_result(self, message: ActionResult) -> ActionResultRow:
        return ActionResultRow(
            id=message.action,
            result=message.result,
            result_reason=message.reason,
            result_at=self._now(),
        )

    def rating(self, session: Session, message: Rating) -> RatingRow:
        return RatingRow(
            id=message.id,
            turn=message.reply,
            player=self.pseudonyms.of(session.server, message.player),
            value=message.value,
            scale=message.scale,
            rated_at=self._now(),
        )

    def demonstration(self, session: Session, message: Demonstration) -> DemonstrationRow:
        return DemonstrationRow(
            id=message.id,
            turn=message.reply,
            player=self.pseudonyms.of(session.server, message.player),
            text=clean_line(message.text),
            shown_at=self._now(),
        )

    def consent(self, session: Session, message: Consent) -> ConsentRow:
        return ConsentRow(
            id=message.id,
            player=self.pseudonyms.of(session.server, message.player),
            choice=message.choice,
            decided_at=self._now(),
        )

    def events(self, session: Session, message: Event) -> list[Row]:
        received = self._now()
        return [
            EventRow(
                server=session.server,
                received_at=received,
                game_s=event.at,
                kind=event.kind,
                player=self.pseudonyms.of(session.server, event.player),
                what=event.what,
                x=event.pos.x if event.pos else None,
                y=event.pos.y if event.pos else None,
                z=event.pos.z if event.pos else None,
            )
            for event in message.events
        ]

    def npcs_met(self, session: Session, known: Iterable[NpcRow]) -> list[NpcRow]:
        """What a hello tells beyond what was `known` of that server: NPCs that are new, changed or gone."""
        before = {
            row.id: NpcRecord(row.id, row.name, row.persona, Position(row.x, row.y, row.z))
            for row in known
            if row.state != "removed"
        }
        rows = []
        for npc in session.hello.npcs:
            old = before.pop(npc.npc, None)
            if old != npc:
                rows.append(self.npc(session, npc, "moved" if old else "spawned"))
        return [*rows, *(self.npc(session, npc, "removed") for npc in before.values())]

    def npc(self, session: Session, npc: NpcRecord, state: Literal["spawned", "moved", "removed"]) -> NpcRow:
        return NpcRow(
            id=npc.npc,
            server=session.server,
            name=npc.name,
            persona=npc.persona,
            x=npc.pos.x,
            y=npc.pos.y,
            z=npc.pos.z,
            state=state,
            seen_at=self._now(),
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.wall(), UTC)
