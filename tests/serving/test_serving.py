"""Which version answers: swaps, refusals, rollbacks, guards and trials, with an engine that needs no model.
What the real engine makes of it stands in test_versions.py."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_runtime import files
from agent_runtime.clock import SystemClock
from agent_runtime.engine.interface import BASE_LANE, Engine, Lane, Request
from agent_runtime.errors import EngineDown, EngineEnded, EngineError
from agent_runtime.journal.rows import TurnRow
from agent_runtime.npc.prompt import Message
from agent_runtime.npc.turn import Account
from agent_runtime.registry import canary, store
from agent_runtime.registry.guard import Tally
from agent_runtime.registry.status import StatusFiles
from agent_runtime.registry.store import Registry
from agent_runtime.sections import Canary
from agent_runtime.sections import Registry as RegistrySettings
from agent_runtime.serving.persona_lanes import ENDINGS, PersonaLanes
from agent_runtime.serving.serving import ATTEMPTS, Serving
from tests.support.clock import ManualClock
from tests.support.engine import Reply, ScriptedEngine
from tests.support.game import Game, chat, make_id
from tests.support.runtime import Running, town
from tests.support.town import MIRA
from tests.support.versions import added

BASE = "0" * 64
"""What the scripted engine says of its model."""
GOOD = Account("model", "Hello.", first_words_ms=100.0)
SILENT = Account("late", "Hm.")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def versions(registry: Registry, count: int) -> None:
    for number in range(count):
        added(registry, b"GGUF %d" % number, base=BASE)


def promote(registry: Registry, *numbers: int) -> None:
    for number in numbers:
        registry.promote(number, expected=registry.state().champion, who="ann", why="better")


@asynccontextmanager
async def serving(
    registry: Registry,
    engine: ScriptedEngine | None = None,
    clock: ManualClock | None = None,
    **asked: Any,
) -> AsyncIterator[Serving]:
    """Started, and closed in good order at the end."""
    engine = engine or ScriptedEngine()
    await engine.start()
    started = Serving(engine, registry, RegistrySettings(poll_ms=10), Canary(**asked), clock or SystemClock())
    await started.start()
    try:
        yield started
    finally:
        await started.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 (what is waited for happens in files and other tasks)
            await asyncio.sleep(0.005)


def by_version(request: Request) -> Reply:
    """Every version says who it is."""
    return Reply(f"I am {request.lane.partition('-')[0] or 'bare'}.")


def loaded(engine: Engine) -> set[str]:
    """The numbers of the versions that an engine has, the bare base as an empty one."""
    return {lane.key.partition("-")[0] for lane in engine.lanes}


async def written(runtime: Running, reply: str) -> TurnRow:
    """The journal's row of a turn, which is written after its reply is told."""
    async with asyncio.timeout(10):
        while not (turn := await runtime.queries.turn(reply)):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return turn


async def said(game: Game, **fields: Any) -> dict[str, Any]:
    await game.send(chat(**fields))
    return await done(game)


async def done(game: Game) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (message := await game.receive())["type"] != "reply_done":
            pass
    return message


async def test_a_new_champion_answers_the_next_turn_and_the_journal_says_so(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine(by_version)) as runtime, Game(runtime.port) as game:
        assert (await said(game))["text"] == "I am bare."
        versions(runtime.registry, 1)
        promote(runtime.registry, 1)
        await until(lambda: runtime.serving.champion == 1)
        answer = await said(game)
        assert answer["text"] == "I am 1."
        turn = await written(runtime, answer["reply"])
        manifest = runtime.registry.get(1).manifest
        assert manifest
        assert (turn.version, turn.adapter) == (1, manifest.adapter)
        runtime.registry.rollback(who="ann", why="worse")
        await until(lambda: runtime.serving.champion == 0)
        answer = await said(game)
        turn = await written(runtime, answer["reply"])
        assert (answer["text"], turn.version, turn.adapter) == ("I am bare.", 0, None)


async def test_a_turn_ends_on_the_version_that_it_began_with(tmp_path: Path) -> None:
    gate = asyncio.Event()

    def script(request: Request) -> Reply:
        slow = "wait" in request.messages[-1].content
        return Reply(by_version(request).text, gate=gate if slow else None)

    engine = ScriptedEngine(script)
    async with town(tmp_path, engine) as runtime, Game(runtime.port) as game:
        versions(runtime.registry, 3)
        promote(runtime.registry, 1)
        await until(lambda: runtime.serving.champion == 1)
        await game.send(chat("please wait"))
        await until(lambda: len(engine.requests) == 1)
        promote(runtime.registry, 2, 3)
        await until(lambda: runtime.serving.champion == 3)
        other = chat("hello", player="bob")
        await game.send({"type": "player_joined", "id": make_id(), "player": "bob"})
        await game.send(other)
        assert (await done(game))["text"] == "I am 3."
        await until(lambda: loaded(engine) == {"", "1", "2", "3"})
        gate.set()
        assert (await done(game))["text"] == "I am 1."
        await until(lambda: loaded(engine) == {"", "2", "3"})


async def test_what_is_needed_to_go_back_stays_loaded(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1, 2)
    engine = ScriptedEngine()
    async with serving(registry, engine) as started:
        assert started.champion == 2
        assert {lane.key for lane in engine.lanes} == {"", registry.get(1).id, registry.get(2).id}
        assert [lane.merged for lane in engine.lanes] == [False, False, True]


class LoggingEngine(ScriptedEngine):
    """Tells in which order it was asked for what."""

    def __init__(self) -> None:
        super().__init__()
        self.did: list[str] = []

    async def load(self, lane: Lane) -> None:
        await super().load(lane)
        self.did.append(f"load {lane.key} merged" if lane.merged else f"load {lane.key}")

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        await super().warm(messages, lane, talk)
        self.did.append(f"warm {lane}")


async def test_a_new_champion_is_merged_and_warm_before_it_serves_and_switches_only_once(
    registry: Registry,
) -> None:
    versions(registry, 2)
    promote(registry, 1)
    engine = LoggingEngine()
    async with serving(registry, engine) as started:
        await started.warm((Message("system", "You are Mira."),))
        engine.did.clear()
        promote(registry, 2)
        await until(lambda: len(engine.did) == 3)
        one, two = registry.get(1).id, registry.get(2).id
        assert started.champion == 2
        assert engine.did == [f"load {two} merged", f"warm {two}", f"load {one}"]


async def test_what_was_warmed_is_warmed_for_a_new_version_before_it_serves(registry: Registry) -> None:
    versions(registry, 1)
    engine = ScriptedEngine()
    persona = (Message("system", "You are Mira."),)
    async with serving(registry, engine) as started:
        await started.warm(persona)
        promote(registry, 1)
        await until(lambda: started.champion == 1)
        assert engine.warmed_lanes[:2] == ["", registry.get(1).id]


class WaitingEngine(ScriptedEngine):
    """Takes its time to warm."""

    def __init__(self) -> None:
        super().__init__()
        self.warms = asyncio.Event()
        self.gate = asyncio.Event()

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        self.warms.set()
        await self.gate.wait()
        await super().warm(messages, lane, talk)


async def test_a_challenger_that_goes_while_the_champion_is_warmed_is_not_missed(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.5, who="ann", why="try")
    engine = WaitingEngine()
    async with serving(registry, engine) as started:
        warming = asyncio.create_task(started.warm((Message("system", "You are Mira."),)))
        await engine.warms.wait()
        registry.drop(1, who="ann", why="it swears")
        await until(lambda: loaded(engine) == {""})
        engine.gate.set()
        await warming
        assert engine.warmed_lanes == [BASE_LANE]


def lost(registry: Registry) -> None:
    adapter = registry.get(2).adapter
    assert adapter
    adapter.unlink()


def changed(registry: Registry) -> None:
    adapter = registry.get(2).adapter
    assert adapter
    adapter.chmod(0o644)
    adapter.write_bytes(b"GGUF 9")


def no_manifest(registry: Registry) -> None:
    folder = registry.get(2).folder
    assert folder
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("damage", [lost, changed, no_manifest])
@pytest.mark.parametrize("running", [True, False], ids=["while running", "at start"])
async def test_a_version_that_cannot_serve_is_refused_and_the_champion_goes_on(
    registry: Registry,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Registry], None],
    running: bool,
) -> None:
    versions(registry, 2)
    promote(registry, 1)
    if not running:
        promote(registry, 2)
        damage(registry)
    async with serving(registry) as started:
        if running:
            promote(registry, 2)
            damage(registry)
        await until(lambda: registry.state().entries[-1].what == "refuse")
        await until(lambda: started.champion == 1)
    state = registry.state()
    assert (state.champion, state.last_good, state.entries[-1].who) == (1, 0, "runtime")
    assert state.banned == {}
    assert "version_refused" in capsys.readouterr().out


async def test_a_version_for_another_base_is_refused_and_a_challenger_too(registry: Registry) -> None:
    added(registry, base="f" * 64)
    async with serving(registry) as started:
        registry.challenge(1, 0.5, who="ann", why="try")
        await until(lambda: registry.state().challenger is None)
        assert started.challenger is None
        promote(registry, 1)
        await until(lambda: registry.state().champion == 0)
        assert started.champion == 0
        assert "another base" in registry.audit()[-1].why


async def test_a_rollback_never_lands_on_a_version_that_was_refused(registry: Registry) -> None:
    versions(registry, 3)
    promote(registry, 1, 2, 3)
    lost(registry)
    async with serving(registry) as started:
        assert registry.state().last_good == 1
        registry.rollback(who="guard", why="rude")
        await until(lambda: started.champion == 1)
        registry.rollback(who="ann", why="rude too")
        await until(lambda: started.champion == 0)
    assert registry.state().champion == 0


async def test_a_refusal_that_could_not_be_written_is_made_up_for_when_the_version_should_serve(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(registry, 3)
    promote(registry, 1, 2, 3)
    lost(registry)
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.05)
    async with AsyncExitStack() as stack:
        with files.locked(registry.root / store.LOCK, 1):
            started = await stack.enter_async_context(serving(registry))
        assert (started.champion, registry.state().last_good) == (3, 2)
        registry.rollback(who="ann", why="rude")
        await until(lambda: 2 in registry.state().refused)
        await until(lambda: started.champion == registry.state().champion)


async def test_what_was_banned_answers_nobody_although_nothing_else_is_loaded_yet(registry: Registry) -> None:
    versions(registry, 3)
    promote(registry, 1)
    engine = CrashingEngine()
    async with serving(registry, engine) as started:
        assert started.champion == 1
        engine.down = True
        promote(registry, 2, 3)
        registry.ban(1, who="ann", why="it swears")
        await until(lambda: started.champion == 0)
        engine.down = False
        await until(lambda: started.champion == 3)


class StumblingEngine(ScriptedEngine):
    """Fails to load anything so many times, as an engine that was just down."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def load(self, lane: Lane) -> None:
        if self.failures:
            self.failures -= 1
            raise EngineError("the engine is being started again")
        await super().load(lane)


async def test_an_engine_that_was_down_is_no_fault_of_a_version(registry: Registry) -> None:
    versions(registry, 1)
    async with serving(registry, StumblingEngine(1)) as started:
        promote(registry, 1)
        await until(lambda: started.champion == 1)
    assert registry.audit()[-1].what == "promote"


async def test_a_version_that_takes_the_engine_down_again_and_again_is_refused(registry: Registry) -> None:
    versions(registry, 1)
    async with serving(registry, StumblingEngine(1000)) as started:
        promote(registry, 1)
        await until(lambda: registry.audit()[-1].what == "refuse")
        assert started.champion == 0


class CrashingEngine(ScriptedEngine):
    """As `IsolatedEngine`: its process ends, and another one comes back with the versions it had, or without
    one of them."""

    def __init__(self, script: Callable[[Request], Reply] = by_version) -> None:
        super().__init__(script)
        self.down = False
        self.refused = 0

    def crash(self, serving: Serving) -> None:
        self.down = True
        self.warmed_lanes.clear()
        serving.engine_lost()

    def come_back(self, serving: Serving, without: str = "none") -> None:
        self.down = False
        self._lanes.pop(without, None)
        serving.engine_back()

    async def load(self, lane: Lane) -> None:
        if self.down:
            self.refused += 1
            raise EngineDown("the engine comes back in a moment")
        await super().load(lane)


async def test_a_restart_of_the_engine_is_no_fault_of_a_version_however_many_talk(tmp_path: Path) -> None:
    down = Reply("Well", error=EngineDown("the engine's process ended"))
    engine = ScriptedEngine(
        lambda request: replace(down, text="") if "crash" in request.messages[-1].content else down
    )
    async with town(tmp_path, engine) as runtime, Game(runtime.port) as game:
        versions(runtime.registry, 1)
        promote(runtime.registry, 1)
        await until(lambda: runtime.serving.champion == 1)
        for _ in range(5):
            assert (await said(game, text="crash"))["source"] == "late"
        assert (await said(game, text="hello"))["text"] == "Well"
    memo = StatusFiles(runtime.registry.root).memo()
    assert memo
    assert memo.tallies.get(1, Tally()) == Tally()


async def test_each_end_of_the_engines_process_counts_once(registry: Registry) -> None:
    versions(registry, 1)
    promote(registry, 1)
    engine = CrashingEngine()
    async with serving(registry, engine) as started:
        for crash in (1, 2):
            assert started.champion == 1, f"after {crash - 1} crashes"
            engine.crash(started)
            for _ in range(5):
                started.note(1, Account("late", "Hm.", down=True))
            engine.come_back(started)
        await until(lambda: started.champion == 0)
    entry = registry.audit()[-1]
    assert (entry.who, entry.what) == ("guard", "rollback")
    assert "ended without a word 2 times" in entry.why


async def test_an_engine_that_is_back_is_as_warm_as_before(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1, 2)
    engine = CrashingEngine()
    one, two = registry.get(1).id, registry.get(2).id
    async with serving(registry, engine) as started:
        await started.warm((Message("system", "You are Mira."),))
        engine.crash(started)
        engine.come_back(started)
        await until(lambda: set(engine.warmed_lanes) == {one, two})


async def test_a_version_that_does_not_come_back_is_loaded_again(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1, 2)
    engine = CrashingEngine()
    async with serving(registry, engine) as started:
        assert started.champion == 2
        engine.crash(started)
        engine.come_back(started, without=registry.get(2).id)
        assert started.champion == 1, "meanwhile the one before it answers"
        with started.turn("alice") as served:
            assert served.lane in {lane.key for lane in engine.lanes}
        await until(lambda: started.champion == 2)


async def test_a_version_waits_for_an_engine_that_is_away_for_long(registry: Registry) -> None:
    versions(registry, 1)
    engine = CrashingEngine()
    async with serving(registry, engine) as started:
        engine.crash(started)
        promote(registry, 1)
        await until(lambda: engine.refused > ATTEMPTS)
        engine.come_back(started)
        await until(lambda: started.champion == 1)
    assert registry.audit()[-1].what == "promote"


async def test_a_start_does_not_wait_for_an_engine_that_is_away(registry: Registry) -> None:
    versions(registry, 1)
    promote(registry, 1)
    engine = CrashingEngine()
    engine.down = True
    async with asyncio.timeout(10), serving(registry, engine) as started:
        assert started.champion == 0
        await until(lambda: engine.refused > ATTEMPTS)
        engine.down = False
        await until(lambda: started.champion == 1)
    assert registry.audit()[-1].what == "promote"


class DeadlyEngine(CrashingEngine):
    """Its process ends whenever it should load a version."""

    serving: Serving

    async def load(self, lane: Lane) -> None:
        self.refused += 1
        loop = asyncio.get_running_loop()
        loop.call_soon(self.crash, self.serving)
        loop.call_soon(self.come_back, self.serving)
        raise EngineDown("the engine's process ended")


async def test_a_version_that_ends_the_engine_when_it_is_loaded_is_not_tried_for_ever(
    registry: Registry,
) -> None:
    versions(registry, 1)
    engine = DeadlyEngine()
    async with serving(registry, engine) as started:
        engine.serving = started
        promote(registry, 1)
        await until(lambda: registry.state().champion == 0)
        assert started.champion == 0
        assert engine.refused <= ATTEMPTS


class AllergicEngine(CrashingEngine):
    """Its process ends whenever it should load a persona's own adapter, and that is told a moment later."""

    serving: Serving

    def __init__(self, files: StatusFiles) -> None:
        super().__init__()
        self.files = files
        self.suspects: list[int] = []

    async def load(self, lane: Lane) -> None:
        if lane.key.startswith("own-"):
            status = self.files.status()
            assert status
            self.suspects.append(status.suspect)
            loop = asyncio.get_running_loop()
            loop.call_later(0.05, self.crash, self.serving)
            loop.call_later(0.1, self.come_back, self.serving)
            raise EngineEnded("the engine's process ended while it loaded own.gguf")
        await super().load(lane)


async def test_a_personas_adapter_that_ends_the_engine_is_refused_and_no_versions_fault(
    registry: Registry, tmp_path: Path
) -> None:
    versions(registry, 1)
    promote(registry, 1)
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF own")
    engine = AllergicEngine(StatusFiles(registry.root))
    async with serving(registry, engine) as started:
        engine.serving = started
        lanes = PersonaLanes(engine, started.beside_versions)
        persona = msgspec.structs.replace(MIRA, adapter=own)
        for count in range(1, ENDINGS + 1):
            assert await lanes.served(persona) is None
            await until(lambda: engine.down)
            await until(lambda: not engine.down)
            assert engine.suspects == [0] * count, "what the next start would hold it against"
        assert await lanes.served(persona) is None
        assert len(engine.suspects) == ENDINGS, "it is not tried again"
        own.write_bytes(b"GGUF another")
        assert await lanes.served(persona) is None
        assert len(engine.suspects) == ENDINGS + 1, "another file is"
        await until(lambda: engine.down)
        await until(lambda: not engine.down)
        await until(lambda: (status := engine.files.status()) is not None and status.suspect == 1)
        assert started.champion == 1
        for _ in range(2):
            engine.crash(started)
            engine.come_back(started)
        await until(lambda: registry.state().champion == 0)  # what has another cause counts again


async def test_a_registry_that_cannot_be_read_leaves_the_bare_base(registry: Registry) -> None:
    versions(registry, 1)
    promote(registry, 1)
    whole = registry.log_path.read_bytes()
    registry.log_path.write_bytes(b"?\n" + whole)
    async with serving(registry) as started:
        assert started.champion == 0
        registry.log_path.write_bytes(whole)
        await until(lambda: started.champion == 1)


async def test_a_champion_that_misbehaves_is_rolled_back_by_the_guard(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1)
    async with serving(registry) as started:
        for _ in range(50):
            started.note(1, GOOD)
        promote(registry, 2)
        await until(lambda: started.champion == 2)
        for _ in range(5):
            started.note(2, SILENT)
        await until(lambda: started.champion == 1)
    entry = registry.audit()[-1]
    assert (entry.who, entry.what, entry.version) == ("guard", "rollback", 2)
    assert "without an answer: 4 of 4" in entry.why
    assert 2 in registry.state().banned


async def test_a_turn_for_which_there_was_no_time_is_no_versions_fault(registry: Registry) -> None:
    versions(registry, 1)
    promote(registry, 1)
    async with serving(registry) as started:
        for _ in range(20):
            started.note(1, Account("busy", "One moment."))
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert sum(tally.turns for tally in memo.tallies.values()) == 0
    assert registry.state().champion == 1


async def test_a_challenger_that_misbehaves_is_dropped_and_banned(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.05, who="ann", why="try")
    async with serving(registry) as started:
        assert started.challenger == 1
        for _ in range(5):
            started.note(1, SILENT)
        await until(lambda: started.challenger is None)
    entry = registry.audit()[-1]
    assert (entry.who, entry.what, set(registry.state().banned)) == ("guard", "drop", {1})


@asynccontextmanager
async def dying(registry: Registry) -> AsyncIterator[Serving]:
    """Leaves behind what a process leaves that dies at the end of the block."""
    names = ("serving.json", "trials.json")
    async with serving(registry) as started:
        yield started
        left = {name: path.read_bytes() for name in names if (path := registry.root / name).exists()}
    for name in names:
        (registry.root / name).unlink(missing_ok=True)
    for name, content in left.items():
        (registry.root / name).write_bytes(content)


async def test_a_version_under_which_the_process_dies_twice_is_rolled_back_before_it_is_loaded(
    registry: Registry,
) -> None:
    versions(registry, 1)
    promote(registry, 1)
    for crash in (1, 2):
        async with dying(registry) as started:
            assert started.champion == 1, f"after {crash - 1} crashes"
            left = StatusFiles(registry.root).status()
            assert left
            assert (left.suspect, left.pid) == (1, os.getpid())
    engine = ScriptedEngine()
    async with serving(registry, engine) as started:
        assert started.champion == 0
        assert [lane.key for lane in engine.lanes] == [""]
    assert registry.audit()[-1].who == "guard"
    registry.unban(1, who="ann", why="it was the memory")
    promote(registry, 1)
    async with serving(registry) as started:
        assert started.champion == 1, "a second chance, though no server ran"


async def test_a_process_that_died_and_was_stopped_in_good_order_since_did_not_die_twice_in_a_row(
    registry: Registry,
) -> None:
    versions(registry, 1)
    promote(registry, 1)
    for _ in range(3):
        async with dying(registry):
            pass
        async with serving(registry) as started:
            assert started.champion == 1
        assert StatusFiles(registry.root).status() is None
    assert registry.state().champion == 1


async def test_power_cuts_are_no_versions_fault(registry: Registry) -> None:
    versions(registry, 1)
    promote(registry, 1)
    files = StatusFiles(registry.root)
    for _ in range(3):
        async with dying(registry) as started:
            assert started.champion == 1
        left = files.status()
        assert left
        files.write_status(msgspec.structs.replace(left, boot="before the power cut"))
    assert registry.state().champion == 1


class EndlessEngine(ScriptedEngine):
    """Never comes to an end with one version, so that a test can end the process meanwhile."""

    def __init__(self, stuck: str) -> None:
        super().__init__()
        self.stuck = stuck
        self.loads = asyncio.Event()

    async def load(self, lane: Lane) -> None:
        if lane.key == self.stuck:
            self.loads.set()
            await asyncio.Event().wait()
        await super().load(lane)


async def test_a_way_back_that_ends_the_process_twice_while_it_is_loaded_is_left_out(
    registry: Registry,
) -> None:
    versions(registry, 3)
    promote(registry, 1, 2, 3)
    deadly = registry.get(2).id
    for _ in range(2):
        engine = EndlessEngine(deadly)
        await engine.start()
        dying = Serving(engine, registry, RegistrySettings(), Canary(), SystemClock())
        start = asyncio.create_task(dying.start())
        await asyncio.wait_for(engine.loads.wait(), 10)
        start.cancel()
        await asyncio.wait([start])
    engine = EndlessEngine(deadly)
    async with asyncio.timeout(10), serving(registry, engine) as started:
        assert started.champion == 3
        assert loaded(engine) == {"", "1", "3"}
    entry = registry.audit()[-1]
    assert (entry.who, entry.what, entry.version) == ("guard", "refuse", 2)
    assert "2 times" in entry.why
    assert (registry.state().last_good, registry.state().banned) == (1, {})


def players(version: int, side: str, share: float, count: int) -> list[str]:
    """Players who are on this side of a trial."""
    names = (f"player {number}" for number in range(100_000))
    found = (name for name in names if canary.side(canary.ticket(name, str(version)), share) == side)
    return [name for name, _ in zip(found, range(count), strict=False)]


async def test_a_challenger_answers_its_share_always_the_same_players(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1)
    async with serving(registry) as started:
        registry.challenge(2, 0.2, who="ann", why="try")
        await until(lambda: started.challenger == 2)
        asked = {}
        for player in (f"player {number}" for number in range(500)):
            for _ in range(3):
                with started.turn(player) as served:
                    assert asked.setdefault(player, served.version) == served.version
        assert 0.1 < list(asked.values()).count(2) / 500 < 0.3
        assert set(asked.values()) == {1, 2}


async def test_ratings_promote_the_better_one(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.5, who="ann", why="try")
    clock = ManualClock()
    async with serving(registry, clock=clock, window_h=0) as started:
        for number, (one, other) in enumerate(
            zip(players(1, "challenger", 0.5, 30), players(1, "champion", 0.5, 30), strict=True)
        ):
            started.rated(one, 1, f"a{number}", 5, clock.wall())
            started.rated(other, 0, f"b{number}", 2, clock.wall())
        await until(lambda: started.champion == 1)
    entry = registry.audit()[-1]
    assert (entry.who, entry.what) == ("canary", "promote")
    assert "30 raters against 30" in entry.why


async def test_ratings_of_other_replies_do_not_count(registry: Registry) -> None:
    versions(registry, 2)
    promote(registry, 1)
    registry.challenge(2, 0.05, who="ann", why="try")
    clock = ManualClock()
    async with serving(registry, clock=clock, window_h=0) as started:
        (asked,) = players(2, "challenger", 0.05, 1)
        (other,) = players(2, "champion", 0.05, 1)
        later = next(
            player
            for player in players(2, "challenger", 0.5, 100)
            if canary.side(canary.ticket(player, "2"), 0.05) is None
        )
        started.rated(asked, 2, "early", 5, clock.wall() - 3600)
        started.rated(asked, 1, "by the champion", 5, clock.wall())
        started.rated(other, 2, "by the challenger", 5, clock.wall())
        started.rated(later, 1, "moved later", 5, clock.wall())
        started.rated(other, 1, "fine", 3, clock.wall())
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.trial
    assert memo.trial.evidence.raters + len(memo.trial.windows) == 1


async def test_more_players_are_asked_when_time_and_turns_have_passed(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.05, who="ann", why="try")
    clock = ManualClock()
    async with serving(registry, clock=clock, step_h=1, step_turns=3) as started:
        for _ in range(3):
            started.note(1, GOOD)
        clock.advance(3601)
        await until(lambda: registry.state().share == 0.2)
        await asyncio.sleep(0.05)
        assert registry.state().share == 0.2
        files = StatusFiles(registry.root)
        await until(lambda: (told := files.status()) is not None and told.share == 0.2)
    assert registry.audit()[-1].who == "canary"


async def test_a_trial_and_what_versions_did_survive_a_restart(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.5, who="ann", why="try")
    clock = ManualClock()
    (one,), (other,) = players(1, "challenger", 0.5, 1), players(1, "champion", 0.5, 1)
    async with serving(registry, clock=clock, window_h=1) as started:
        started.note(1, GOOD)
        started.rated(one, 1, "a", 5, clock.wall())
    clock.advance(1800)
    async with serving(registry, clock=clock, window_h=1) as started:
        started.note(1, GOOD)
        started.rated(other, 0, "b", 2, clock.wall())
    clock.advance(1801)
    async with serving(registry, clock=clock, window_h=1):
        pass
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.trial
    assert (memo.tallies[1].turns, memo.trial.turns) == (2, 2)
    assert memo.trial.evidence.counts == {"challenger": 1, "champion": 0}
    assert [window.values for window in memo.trial.windows.values()] == [{"b": 2}]


async def test_a_memo_that_cannot_be_read_costs_only_the_trials_progress(registry: Registry) -> None:
    versions(registry, 1)
    registry.challenge(1, 0.5, who="ann", why="try")
    (registry.root / "trials.json").write_text("{torn")
    async with serving(registry) as started:
        assert started.challenger == 1
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.trial
    assert memo.trial.challenger == 1
