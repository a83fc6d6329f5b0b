"""Which version answers whom: decisions of the registry come in, each turn gets the version it is taken with.

A version is loaded and warmed beside those that serve, takes over between two turns, and goes when its last
turn is over. One that cannot be loaded is refused, and whoever served goes on. Answers no player itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import structlog

from agent_runtime.clock import Clock
from agent_runtime.engine.interface import Engine
from agent_runtime.errors import AdapterError, EngineDown, EngineError, RegistryError
from agent_runtime.npc.prompt import Message
from agent_runtime.npc.turn import Account
from agent_runtime.registry.audit import BARE, State
from agent_runtime.registry.store import Registry
from agent_runtime.registry.watch import states
from agent_runtime.sections import Canary
from agent_runtime.sections import Registry as RegistrySettings
from agent_runtime.serving.merging import merge
from agent_runtime.serving.prefixes import Prefixes
from agent_runtime.serving.served import NO_VERSION, Served, load_version
from agent_runtime.serving.standing import Standing
from agent_runtime.serving.trials import Trials

STUMBLE_SECONDS = 1.0
ATTEMPTS = 3
ATTEMPT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Serving:
    """Between the registry and the engine, which must have started."""

    def __init__(
        self, engine: Engine, registry: Registry, settings: RegistrySettings, canary: Canary, clock: Clock
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._poll = settings.poll_ms / 1000
        self._trials = Trials(registry, settings, canary, clock, self._decided)
        self._standing = Standing(engine, registry.root)
        self._state = State()
        self._champion = BARE
        self._challenger: int | None = None
        self._lanes = {BARE: NO_VERSION}
        self._talking: Counter[int] = Counter()
        self._refused: set[int] = set()
        self._attempts: Counter[int] = Counter()
        self._loading: int | None = None
        self._prefixes = Prefixes(engine)
        self._cold = False
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def champion(self) -> int:
        """The version that answers all whom no challenger answers."""
        return self._champion

    @property
    def challenger(self) -> int | None:
        """The version on trial, once it is ready."""
        return self._challenger

    async def start(self) -> None:
        """Bring in what the registry says, so that the first turn has its version, and go on following it.
        What has to wait for the engine comes later; what cannot serve is refused. Never raises for the
        registry."""
        try:
            state = await asyncio.to_thread(self._registry.state)
        except RegistryError as error:
            log.error("registry_unreadable", error=str(error), serves="the bare base")
            state = State()
        self._state = state
        self._trials.serve_at(self._standing.place)
        self._trials.follow(state)
        await self._trials.blame(self._standing.left)
        if self._state.last_good != BARE:
            # First what can be gone back to, so that a champion which cannot serve leaves it in charge.
            await self._bring(good := self._state.last_good)
            self._champion = good if good in self._lanes else BARE
        await self._catch_up()
        await self._trials.decide()
        self._tasks = [
            asyncio.create_task(_forever(work)) for work in (self._follow, self._work, self._trials.run)
        ]

    async def close(self) -> None:
        """Stop following, and remember what the next start needs. What is loaded stays loaded."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._trials.close()
            self._standing.clear()
        self._tasks = []

    @contextmanager
    def turn(self, player: str) -> Iterator[Served]:
        """The version for one turn of this player (a pseudonym); it stays loaded until the block ends."""
        number = self._champion
        if self._challenger is not None and self._trials.is_asked(player):
            number = self._challenger
        with self._held(number) as served:
            yield served

    def note(self, version: int, account: Account) -> None:
        """Watch what a version does: every turn that is over."""
        self._trials.note(version, account)

    def rated(self, player: str, version: int, reply: str, value: int, said_at: float) -> None:
        """Count what a player (a pseudonym) thinks of a reply that was made at that time of the wall
        clock."""
        self._trials.rated(player, version, reply, value, said_at)

    async def warm(self, messages: tuple[Message, ...]) -> None:
        """Compute a shared prefix for every version that serves, now and later. Raises `EngineError`."""
        self._prefixes.keep(messages)
        for number in (self._champion, self._challenger):
            if number in self._lanes:  # a challenger may go while the champion reads
                with self._held(number) as served:
                    await self._engine.warm(messages, served.lane)

    def engine_lost(self) -> None:
        """The engine's process ended. That counts once, against the version that was loaded last."""
        log.warning("engine_lost", suspect=self._suspect)
        self._attempts[self._suspect] += self._loading is not None
        if self._suspect != BARE:
            self._trials.crashed(self._suspect)

    def engine_back(self) -> None:
        """Another process serves, which has read nothing yet. Versions that did not come back with it are
        loaded again; meanwhile the one before them answers."""
        self._standing.engine_back()
        there = {lane.key for lane in self._engine.lanes}
        self._lanes = {number: served for number, served in self._lanes.items() if served.lane in there}
        self._settle()
        self._cold = True
        self._wake.set()

    def beside_versions(self) -> AbstractAsyncContextManager[None]:
        """Inside, the engine loads what is no version: none is blamed when it ends over that."""
        return self._standing.excusing(self._tell)

    @property
    def _suspect(self) -> int:
        """The version that is being loaded, or was loaded last."""
        newest = self._champion if self._challenger is None else self._challenger
        return BARE if self._standing.excuses else newest if self._loading is None else self._loading

    def _take(self, state: State) -> None:
        """A newer state of the registry: what is ready takes over at once, the rest is worked on."""
        if len(state.entries) < len(self._state.entries):
            log.warning("registry_replaced")
        for entry in state.entries[len(self._state.entries) :]:
            named = [to for _, to in entry.moves.values() if to is not None]
            for number in named if entry.what == "refuse" else [entry.version, *named]:
                self._refused.discard(number)
                del self._attempts[number]
        self._state = state
        self._trials.follow(state)
        self._settle()
        self._wake.set()

    def _decided(self, state: State) -> None:
        """The runtime itself decided. Somebody else may have since, and then that is known already."""
        if len(state.entries) > len(self._state.entries):
            self._take(state)

    def _settle(self) -> None:
        champion, challenger = self._champion, self._challenger
        ready = self._lanes.keys() - self._state.banned.keys()
        after = (self._state.champion, champion, self._state.last_good)
        self._champion = next((number for number in after if number in ready), BARE)
        self._challenger = self._state.challenger if self._state.challenger in self._lanes else None
        if (champion, challenger) != (self._champion, self._challenger):
            log.info("version_serves", champion=self._champion, challenger=self._challenger, before=champion)

    async def _follow(self) -> None:
        async for state in states(self._registry, self._poll):
            if state.entries != self._state.entries:
                self._take(state)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Load what should serve and does not, the champion first; then let go what no longer should."""
        await self._tell()
        if self._cold:
            self._cold = False
            needed = (self._champion, self._challenger, self._state.last_good)
            await self._prefixes.warm_again(self._lanes[one].lane for one in needed if one in self._lanes)
        while (number := self._missing()) is not None:
            if not await self._bring(number):
                self._wake.set()
                break
            self._settle()
        for number in [number for number in self._lanes if not self._needed(number)]:
            try:
                await self._engine.unload(self._lanes.pop(number).lane)
                log.info("version_unloaded", version=number)
            except EngineError as error:
                log.error("version_not_unloaded", version=number, error=str(error))
        await self._tell()
        await merge(self._engine, self._prefixes, self._lanes[self._champion].lane)

    def _missing(self) -> int | None:
        wanted = (self._state.champion, self._state.challenger, self._state.last_good)
        settled = self._lanes.keys() | self._refused
        return next((one for one in wanted if one is not None and one not in settled), None)

    def _needed(self, number: int) -> bool:
        serving = {BARE, self._champion, self._challenger} | self._state.serving
        return number in serving or bool(self._talking[number])

    async def _bring(self, number: int) -> bool:
        """Check, load and warm one version; refuse it if that fails. False: try it again."""
        self._loading = number
        try:
            await self._tell()
            served = await load_version(self._engine, self._registry, number, number == self._state.champion)
            await self._prefixes.warm(served.lane)
        except (RegistryError, EngineError) as error:
            its_own = isinstance(error, RegistryError | AdapterError)
            # An engine that is away may need longer; if it went over this version, that was counted then.
            self._attempts[number] += not isinstance(error, EngineDown)
            if not its_own and self._attempts[number] < ATTEMPTS:
                log.warning("version_has_to_wait", version=number, why=str(error))
                await asyncio.sleep(ATTEMPT_SECONDS)
                return False
            self._refused.add(number)
            log.error("version_refused", version=number, why=str(error), serves=self._champion)
            await self._refuse(number, str(error))
        else:
            self._lanes[number] = served
            del self._attempts[number]
        finally:
            self._loading = None
        return True

    async def _refuse(self, number: int, why: str) -> None:
        try:
            state = await asyncio.to_thread(
                self._registry.refuse, number, instead=self._champion, who="runtime", why=why
            )
        except RegistryError as error:
            log.error("refusal_not_written", version=number, error=str(error))
        else:
            self._decided(state)

    async def _tell(self) -> None:
        await self._standing.tell(self._champion, self._challenger, self._state.share, self._suspect)

    @contextmanager
    def _held(self, number: int) -> Iterator[Served]:
        self._talking[number] += 1
        try:
            yield self._lanes[number]
        finally:
            self._talking[number] -= 1
            if number not in self._state.serving and not self._talking[number]:
                self._wake.set()


async def _forever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Versions must be followed as long as the server runs, whatever goes wrong once."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("versions_stumbled")
        await asyncio.sleep(STUMBLE_SECONDS)
