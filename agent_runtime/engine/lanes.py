"""The versions that serve, on the engine's thread: lanes come and go, orders find theirs, steps go round.

All adapters share one model and its context, whose batches take turns; a lane that was merged has a model
and a context of its own. A lane that left serves nobody new, and is freed when its last talk has ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent_runtime.engine import threads
from agent_runtime.engine.backend import ContextFull, DecodeFailed, Row, Version
from agent_runtime.engine.interface import BASE_LANE, Priority
from agent_runtime.engine.llama import Llama
from agent_runtime.engine.loading import PROBE_CELLS, Loaded
from agent_runtime.engine.orders import Done, Load
from agent_runtime.engine.scheduler import Scheduler
from agent_runtime.engine.shelf import Shelf
from agent_runtime.engine.steps import Event, Steps
from agent_runtime.engine.talk import Talk
from agent_runtime.errors import AdapterError, EngineError, LaneUnknown, ModelFileError

Logits = NDArray[np.float32]

_log = logging.getLogger("townsfolk.engine")

_PROBE = "The smith has sold torches by the old bridge since the last winter."
# Of the adapter's own effect on the logits: a merged copy that is further off than this does not serve.
_MOST_ROUNDING = 0.5
# Beside players, a model with nothing but background work has a turn every so many rounds only.
_BACKGROUND_EVERY = 4


@dataclass(slots=True, eq=False)
class _Unit:
    """A model and all who talk to it."""

    model: Llama
    steps: Steps


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    """Where a lane is served, and as what."""

    unit: _Unit
    version: Version


class Lanes:
    """All lanes over one base. `clock` is in seconds."""

    def __init__(self, loaded: Loaded, clock: Callable[[], float] = time.monotonic) -> None:
        self._loaded = loaded
        self._clock = clock
        self._shelf = Shelf(loaded.shelf_bytes)
        self._base = self._unit(loaded.model)
        self._units = [self._base]
        self._seats = {BASE_LANE: _Seat(self._base, Version(weights=loaded.info.digest))}
        self._leaving: list[tuple[_Seat, Done | None]] = []
        self._rounds = 0
        self._threads = loaded.threads

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do until somebody asks for something."""
        return all(unit.steps.idle for unit in self._units)

    def version(self, lane: str) -> Version:
        """What answers in this lane. Raises `LaneUnknown`."""
        if lane not in self._seats:
            raise LaneUnknown(lane)
        return self._seats[lane].version

    def add(self, talk: Talk) -> None:
        """Take a talk in, to its lane."""
        self._seats[talk.version.lane].unit.steps.add(talk)

    def cancel(self, ticket: object) -> None:
        """End a talk without another word; unknown tickets are ignored (it has just ended)."""
        for unit in self._units:
            unit.steps.cancel(ticket)

    def load(self, order: Load) -> Iterator[None]:
        """Make a lane ready, bit by bit, so that others speak in between. Raises `AdapterError`."""
        lane = order.lane
        weights = f"{self._loaded.info.digest}+{order.digest}*{lane.scale!r}"
        version = Version(lane.key, weights, lane.adapter, lane.scale)
        bare, adapted = yield from self._tried(version)
        seat = _Seat(self._base, version)
        merged = (yield from self._merged(order.merged)) if order.merged else None
        if merged:
            copy, told = merged
            off, effect = (float(np.abs(other - adapted).mean()) for other in (told, bare))
            if off <= _MOST_ROUNDING * effect:
                seat = _Seat(self._unit(copy), Version(lane.key, weights + " merged"))
                self._units.append(seat.unit)
            else:
                copy.close()
                _log.warning(
                    "lane %s is served unmerged: rounding changes the logits by %.3g, the adapter by %.3g",
                    lane.key,
                    off,
                    effect,
                )
        before = self._seats.get(lane.key)
        if before and before.unit is seat.unit and before.version.weights == weights:
            # Nothing has changed, and what is kept of these weights is still right.
            return
        if before:
            self._leaving.append((before, None))
        self._seats[lane.key] = seat
        if seat.version.adapter is None:
            self._unload(version)

    def unload(self, key: str, done: Done) -> None:
        """Take a lane out of service; `done` is called once its last talk has ended and it is freed."""
        seat = self._seats.pop(key, None)
        if seat is None:
            done(LaneUnknown(key))
        else:
            self._leaving.append((seat, done))

    def step(self) -> list[Event]:
        """One batch of each model that has anything to do, and what came of it."""
        self._rounds += 1
        events: list[Event] = []
        busy = [unit for unit in self._units if not unit.steps.idle]
        if self._rounds % _BACKGROUND_EVERY:
            busy = [unit for unit in busy if unit.steps.priority < Priority.BACKGROUND] or busy
        for unit in busy:
            beside = any(other.steps.speaking for other in busy if other is not unit)
            events += unit.steps.step(beside)
        tries = self._loaded.tries
        if len(tries) > 1 and any(unit.steps.pace.disturbed(self._threads < tries[0]) for unit in busy):
            self._choose_threads()
        return events

    def sweep(self) -> None:
        """Free the lanes that have left and serve nobody any more."""
        for seat, done in list(self._leaving):
            if not seat.unit.steps.serves(seat.version):
                self._leaving.remove((seat, done))
                self._free(seat)
                if done:
                    done(None)

    def fail_all(self, error: EngineError) -> list[Event]:
        """End every talk with `error`, and trust nothing that is in a KV cache."""
        return [event for unit in self._units for event in unit.steps.fail_all(error)]

    def close(self) -> None:
        """Free everything. Lanes on their way out are gone with the rest."""
        for unit in self._units:
            unit.model.close()
        for _, done in self._leaving:
            if done:
                done(None)

    def _choose_threads(self) -> None:
        sequence = self._loaded.size.sequences - 1
        try:
            with self._base.model.pulse.for_all():
                chosen = threads.choose(self._base.model, sequence, self._loaded.tries, self._clock)
        except (ContextFull, DecodeFailed) as error:
            _log.warning("the number of threads stays at %d: %s", self._threads, error)
            chosen = self._threads
        if chosen != self._threads:
            _log.info("%d threads decode now, not %d: a neighbour came or went", chosen, self._threads)
        self._threads = chosen
        for unit in self._units:
            unit.model.set_threads(chosen)

    def _unit(self, model: Llama) -> _Unit:
        loaded = self._loaded
        scheduler = Scheduler(model, loaded.slots, loaded.prefixes, loaded.cells, self._shelf)
        return _Unit(model, Steps(model, scheduler, self._clock))

    def _tried(self, version: Version) -> Generator[None, None, tuple[Logits, Logits]]:
        """What the base says without and with an adapter. Raises `AdapterError`, and nothing is left of
        the adapter then."""
        try:
            bare = self._probe(self._base.model, Version())
            yield
            adapted = self._probe(self._base.model, version)
            if not np.isfinite(adapted).all():
                raise AdapterError(f"{version.adapter}: the model answers with NaN under it; train it again")
        except (ContextFull, DecodeFailed) as error:
            self._unload(version)
            raise AdapterError(f"{version.adapter}: {error}") from error
        except BaseException:
            self._unload(version)
            raise
        return bare, adapted

    def _merged(self, path: Path) -> Generator[None, None, tuple[Llama, Logits] | None]:
        """Load a merged copy, and hear what it says; None where there is no room for one."""
        copy: Llama | None = None
        try:
            copy = Llama(path, like=self._base.model)
            yield
            copy.open(self._loaded.size)
            copy.set_threads(self._threads)
            yield
            told = self._probe(copy, Version())
            yield
        except BaseException as error:
            if copy:
                copy.close()
            if not isinstance(error, ModelFileError | ContextFull | DecodeFailed):
                raise
            _log.warning("a lane is served unmerged: %s", error)
            return None
        return copy, told

    def _probe(self, model: Llama, version: Version) -> Logits:
        """The logits after a short text, in a sequence that nobody else uses."""
        tokens = model.tokenize(_PROBE, special=False)[:PROBE_CELLS]
        sequence = self._loaded.size.sequences - 1
        try:
            model.use(version)
            (place,) = model.decode([Row(sequence, 0, tokens, True)])
            return model.logits(place)
        finally:
            model.drop(sequence)

    def _free(self, seat: _Seat) -> None:
        seat.unit.steps.forget(seat.version)
        if seat.unit is self._base:
            self._unload(seat.version)
        else:
            self._units.remove(seat.unit)
            seat.unit.model.close()

    def _unload(self, version: Version) -> None:
        """Free an adapter that no lane uses."""
        seats = [*self._seats.values(), *(seat for seat, _ in self._leaving)]
        if version.adapter and all(seat.version.adapter != version.adapter for seat in seats):
            self._base.model.unload(version.adapter)
