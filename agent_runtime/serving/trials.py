"""Turns and ratings come in; a version that misbehaves is rolled back, and a challenger gets more players,
the championship or the way out.

The judgement is `registry.guard`'s and `registry.canary`'s; here it is fed, remembered over restarts, and
carried out in the registry. Needs neither the journal nor whoever trains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec
import structlog

from agent_runtime.clock import Clock
from agent_runtime.errors import RegistryConflict, RegistryError
from agent_runtime.npc.policy import Refused
from agent_runtime.npc.turn import Account
from agent_runtime.registry import canary, guard
from agent_runtime.registry.audit import BARE, State
from agent_runtime.registry.canary import Trial
from agent_runtime.registry.guard import FirstWords, Tally
from agent_runtime.registry.status import Memo, Status, StatusFiles
from agent_runtime.registry.store import Registry
from agent_runtime.sections import Canary
from agent_runtime.sections import Registry as RegistrySettings

TICK_SECONDS = 1.0
SAVE_SECONDS = 5.0
RETRY_SECONDS = 10.0
TALLIES_KEPT = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Due:
    """A decision that should be made now."""

    what: str
    version: int
    why: str
    carry_out: Callable[[], State]


class Trials:
    """`taken` gets the registry's new state whenever something was decided here."""

    def __init__(
        self,
        registry: Registry,
        watched: RegistrySettings,
        asked: Canary,
        clock: Clock,
        taken: Callable[[State], None],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._taken = taken
        self._guard = guard.Limits(
            watched.guard_turns, watched.guard_margin, watched.guard_slower, watched.guard_crashes
        )
        self._canary = canary.Limits(
            asked.window_h * 3600, asked.step_h * 3600, asked.step_turns, asked.days * 86400, asked.alpha
        )
        self._files = StatusFiles(registry.root)
        self._memo = self._files.memo() or Memo()
        self._state = State()
        self._failed: dict[tuple[str, int], float] = {}
        self._due = asyncio.Event()
        self._dirty = False
        self._saved = clock.monotonic()

    def serve_at(self, place: str) -> None:
        """Where and on what this serves. How long first words took elsewhere says nothing here."""
        if self._memo.place not in ("", place):
            log.info("first_words_forgotten", why=f"they were measured on {self._memo.place}")
            for tally in self._memo.tallies.values():
                tally.first_words = []
        self._memo.place = place

    def follow(self, state: State) -> None:
        """Something was decided: a trial begins, goes on with another share, or is over."""
        self._state = state
        trial, challenger, now = self._memo.trial, state.challenger, self._clock.wall()
        if not state.entries:
            return  # nothing was decided yet, or the log cannot be read: it says nothing
        if challenger is None:
            self._memo.trial = None
        elif not trial or (trial.champion, trial.challenger, trial.challenged) != (
            state.champion,
            challenger,
            state.challenged,
        ):
            self._memo.trial = Trial(state.champion, challenger, state.challenged, now, now, state.share)
        elif trial.share != state.share:  # also when that was decided while nobody served
            trial.step(state.share, now)
        self._give_chances(state.chances)
        self._dirty = True

    def crashed(self, version: int) -> None:
        """The process, or that of its engine, ended without a word while this version was the newest that
        served."""
        self._tally(version).crash()
        self._dirty = True
        if self._complaint(version):
            self._due.set()

    def note(self, version: int, account: Account) -> None:
        """A turn is over. Turns that never reached the model say nothing about a version, and the end of the
        engine's process counts once, as a crash, however many talked to it."""
        if account.source == "busy" or account.down or _never_began(account):
            return
        if not self._complaint(version):  # one that could not be acted on yet is not outgrown
            self._tally(version).note(
                fault=bool(account.malformed) or any(_violates(judged.verdict) for judged in account.judged),
                failure=account.source != "model",
                endless=account.finish is not None and account.finish.reason == "length",
                first_words=_first_words(account),
            )
        trial = self._memo.trial
        if trial:
            trial.took(version)
        self._dirty = True
        if self._complaint(version):
            self._due.set()

    def rated(self, player: str, version: int, reply: str, value: int, said_at: float) -> None:
        """A player (a pseudonym) judged a reply of a version, made at that time of the wall clock."""
        trial = self._memo.trial
        if not trial or self._state.challenger != trial.challenger or said_at < trial.began:
            return
        ticket = canary.ticket(player, str(trial.challenger))
        side = canary.side(ticket, self._state.share)
        if side and version == (trial.challenger if side == "challenger" else trial.champion):
            trial.rate(ticket, side, reply, value, self._clock.wall())
            self._dirty = True

    def is_asked(self, player: str) -> bool:
        """Whether the challenger answers this player."""
        challenger = self._state.challenger
        if challenger is None:
            return False
        return canary.side(canary.ticket(player, str(challenger)), self._state.share) == "challenger"

    async def blame(self, left: Status | None) -> None:
        """Count it against a version that the last process ended without a word, and left this. What ended
        before the version's last chance does not count."""
        version = left.suspect if left else BARE
        if not left or version == BARE or version not in self._state.serving:
            return
        log.warning("ended_without_a_word", version=version)
        if left.since >= self._state.chances.get(version, left.since):
            self.crashed(version)
            await self.save()
            await self.decide()

    async def run(self) -> None:
        """Decide what there is to decide, until cancelled."""
        while True:
            await self.decide()
            if self._dirty and self._clock.monotonic() - self._saved >= SAVE_SECONDS:
                await self.save()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._due.wait()
            self._due.clear()

    async def decide(self) -> None:
        """Carry out the first decision that is due, if any. One that fails is tried again after
        `RETRY_SECONDS`."""
        trial = self._memo.trial
        if trial and trial.close_windows(self._clock.wall(), self._canary):
            self._dirty = True
        due = next((one for one in self._decisions() if not self._has_to_wait(one)), None)
        if not due:
            return
        try:
            state = await asyncio.to_thread(due.carry_out)
        except RegistryConflict as error:
            log.info("decided_by_somebody_else", why=str(error))
        except RegistryError as error:
            self._failed[due.what, due.version] = self._clock.monotonic()
            log.error("decision_failed", decision=due.what, version=due.version, error=str(error))
        else:
            log.warning("version_decided", decision=due.what, version=due.version, why=due.why)
            self._taken(state)

    async def close(self) -> None:
        """The server ends in good order, so that crashes before are none in a row with later ones. Remember
        everything for the next start."""
        for version in list(self._memo.tallies):
            if not self._complaint(version):  # one that could not be acted on yet is not outgrown
                self._tally(version).crashes = 0
        await self.save()

    async def save(self) -> None:
        """Remember everything for the next start."""
        self._dirty, self._saved = False, self._clock.monotonic()
        tallies = self._memo.tallies
        for number in sorted(set(tallies) - self._state.serving)[:-TALLIES_KEPT]:
            del tallies[number]
        try:
            await asyncio.to_thread(self._files.write_memo, msgspec.json.encode(self._memo))
        except OSError as error:
            log.error("trials_not_saved", error=str(error))

    def _give_chances(self, chances: dict[int, datetime]) -> None:
        """Let versions start from nothing that got another chance, also while no server ran."""
        known, self._memo.chances = self._memo.chances, chances
        if known is None:
            return
        for version in [one for one, at in chances.items() if known.get(one) != at]:
            self._memo.tallies.pop(version, None)
            self._failed = {key: at for key, at in self._failed.items() if key[1] != version}

    def _decisions(self) -> list[_Due]:
        registry, trial = self._registry, self._memo.trial
        champion, challenger, share = self._state.champion, self._state.challenger, self._state.share
        found, way_back = [], self._state.last_good
        why = self._complaint(way_back)
        if why and way_back not in (champion, challenger):
            refuse = partial(registry.refuse, way_back, instead=champion, who="guard", why=why)
            found.append(_Due("refuse", way_back, why, refuse))
        why = self._complaint(champion)
        if why:
            roll_back = partial(registry.rollback, who="guard", why=why, expected=champion)
            found.append(_Due("rollback", champion, why, roll_back))
        if challenger is None or not trial:
            return found
        why = self._complaint(challenger)
        if why:
            drop = partial(registry.drop, challenger, who="guard", why=why, ban=True)
            found.append(_Due("drop", challenger, why, drop))
        advice = trial.advice(share, self._clock.wall(), self._canary)
        if advice:
            why = advice.why
            carry_out = {
                "step": partial(registry.set_share, challenger, advice.share, expected=share),
                "promote": partial(registry.promote, challenger, expected=champion, challenger=challenger),
                "drop": partial(registry.drop, challenger, ban=advice.ban),
            }[advice.what]
            found.append(_Due(advice.what, challenger, why, partial(carry_out, who="canary", why=why)))
        return found

    def _has_to_wait(self, due: _Due) -> bool:
        failed = self._failed.get((due.what, due.version))
        return failed is not None and self._clock.monotonic() - failed < RETRY_SECONDS

    def _complaint(self, version: int) -> str | None:
        if version == BARE or version not in self._state.serving:
            return None
        tally = self._tally(version)
        if version not in (self._state.champion, self._state.challenger):
            # It was watched while it served, but it can end the process that loads it at any start.
            tally = Tally(crashes=tally.crashes)
        before = self._state.champion if version == self._state.challenger else self._state.last_good
        return guard.complaint(tally, self._tally(before), self._guard)

    def _tally(self, version: int) -> Tally:
        return self._memo.tallies.setdefault(version, Tally())


def _first_words(account: Account) -> FirstWords | None:
    return None if account.first_words_ms is None else FirstWords(account.first_words_ms, account.crowd)


def _violates(verdict: object) -> bool:
    return isinstance(verdict, Refused) and verdict.violation


def _never_began(account: Account) -> bool:
    """Whether the deadline came before the engine wrote a token: too many talked at once."""
    finish = account.finish
    return finish is not None and finish.reason == "deadline" and finish.completion_tokens == 0
