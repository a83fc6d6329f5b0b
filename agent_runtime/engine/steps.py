"""One step after the other: talks come in, text and endings go out, and nothing waits in here.

Joins the scheduler, the model and the samplers; runs on the engine's thread. A failing batch ends the
talks that were in it with an `EngineError`; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable

from agent_runtime.engine.backend import Backend, ContextFull, DecodeFailed, Row, Version
from agent_runtime.engine.guard import Guard
from agent_runtime.engine.interface import Chunk, Finish, FinishReason, Priority
from agent_runtime.engine.prefix import Prefix
from agent_runtime.engine.sampling import stages
from agent_runtime.engine.scheduler import Scheduler, Share
from agent_runtime.engine.talk import Talk
from agent_runtime.engine.threads import Pace
from agent_runtime.errors import AdapterError, EngineBusy, EngineError

BEARABLE_S = 0.04
"""So long others' next words may wait for a stretch of a prompt: people read some eight words a second."""

# The ticket of a talk, and what happened to it. After a `Finish` or an error nothing more comes.
Event = tuple[object, Chunk | Finish | EngineError]


class Steps:
    """All talks of one model."""

    def __init__(self, backend: Backend, scheduler: Scheduler, clock: Callable[[], float]) -> None:
        self._backend = backend
        self._scheduler = scheduler
        self._clock = clock
        self._events: list[Event] = []
        self.pace = Pace(clock)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do until somebody asks for something."""
        return self._scheduler.idle

    def add(self, talk: Talk) -> None:
        """Take a talk in; it starts with the next step that has room."""
        self._scheduler.add(talk)

    def cancel(self, ticket: object) -> None:
        """End a talk without another word; unknown tickets are ignored (it has just ended)."""
        for talk in self._scheduler.talks:
            if talk.ticket is ticket:
                self._release(talk)

    def fail_all(self, error: EngineError) -> list[Event]:
        """End every talk with `error`, and trust nothing that is in the KV cache."""
        for talk in self._scheduler.talks:
            self._fail(talk, error)
        self._scheduler.forget()
        return self._taken()

    def serves(self, version: Version) -> bool:
        """Whether anybody still talks to this version, or waits for it."""
        return any(talk.version is version for talk in self._scheduler.talks)

    def forget(self, version: Version) -> None:
        """Free what is kept of a version that serves nobody any more."""
        self._scheduler.forget(version)

    @property
    def priority(self) -> Priority:
        """The first among those who talk here; raises `ValueError` when nobody does."""
        return min(talk.priority for talk in self._scheduler.talks)

    @property
    def speaking(self) -> bool:
        """Whether somebody is in mid-reply."""
        return any(talk.said for talk in self._scheduler.running)

    def step(self, beside: bool = False) -> list[Event]:
        """One batch through the model, and what came of it. `beside` says that others wait meanwhile."""
        now = self._clock()
        for talk in self._scheduler.talks:
            if talk.deadline <= now:
                self._finish(talk, "deadline")
        self._scheduler.admit()
        shares = self._scheduler.plan(beside, self.pace.room(BEARABLE_S))
        if shares:
            self._decode(shares)
        for talk in self._scheduler.running:
            # A talk without a reply was made to warm what it reads.
            if not talk.limit and not talk.pending:
                self._finish(talk, "length")
        return self._taken()

    def _decode(self, shares: list[Share]) -> None:
        rows = [_row(share) for share in shares]
        try:
            self._backend.use(shares[0].owner.version)
            began = self._clock()
            places = self._backend.decode(rows)
            self.pace.note(sum(share.count for share in shares), self._clock() - began)
        except ContextFull:
            self._make_room()
            return
        except (DecodeFailed, AdapterError) as error:
            self._abandon(shares, EngineError(str(error)))
            return
        for share, place in zip(shares, places, strict=True):
            share.owner.fed += share.count
            if place >= 0 and isinstance(share.owner, Talk):
                self._speak(share.owner, place)

    def _speak(self, talk: Talk, place: int) -> None:
        if talk.sampler is None:
            talk.sampler = self._backend.sampler(stages(talk.sampling, talk.seed))
            talk.guard = Guard(self._backend, talk.grammar) if talk.grammar else None
        guard = talk.guard
        token = self._backend.sample(talk.sampler, place, guard.held if guard else None)
        if talk.first_token is None:
            talk.first_token = self._clock()
        if self._backend.ends(token):
            self._finish(talk, "stop")
            return
        talk.tokens.append(token)
        piece = self._backend.piece(token)
        if guard:
            guard.feed(token, piece)
        text = talk.text.feed(piece)
        if text:
            self._events.append((talk.ticket, Chunk(text)))
        if talk.text.stopped:
            self._finish(talk, "stop")
        elif talk.said >= talk.limit:
            self._finish(talk, "length")

    def _make_room(self) -> None:
        # Cells are reserved beforehand, so this happens only where a model needs more than one per token.
        if not self._scheduler.evict():
            self._fail(self._scheduler.running[-1], EngineBusy("the context is full; try again in a moment"))

    def _abandon(self, shares: list[Share], error: EngineError) -> None:
        for share in shares:
            lost = self._scheduler.discard(share.owner) if isinstance(share.owner, Prefix) else [share.owner]
            for talk in lost:
                self._fail(talk, error)

    def _finish(self, talk: Talk, reason: FinishReason) -> None:
        held = talk.text.flush()
        if held:
            self._events.append((talk.ticket, Chunk(held)))
        self._events.append((talk.ticket, talk.finish(reason, self._clock())))
        self._release(talk)

    def _fail(self, talk: Talk, error: EngineError) -> None:
        self._events.append((talk.ticket, error))
        self._release(talk, keep=False)

    def _release(self, talk: Talk, keep: bool = True) -> None:
        self._scheduler.remove(talk, keep)
        if talk.sampler is not None:
            self._backend.free(talk.sampler)
            talk.sampler = None
        if talk.guard:
            talk.guard.free()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events


def _row(share: Share) -> Row:
    owner = share.owner
    end = owner.fed + share.count
    wanted = isinstance(owner, Talk) and end == len(owner.tokens) and owner.limit > 0
    return Row(owner.sequence, owner.fed, owner.tokens[owner.fed : end], wanted)
