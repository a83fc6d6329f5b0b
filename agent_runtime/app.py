"""Puts the runtime together and keeps it running: settings come in, a serving process goes on until a signal.

The order of opening is the order of need; closing goes the other way round, so that nothing that was
said or rated is lost.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from agent_runtime.bridge.server import Bridge, Limits
from agent_runtime.bridge.token import load_or_create_token
from agent_runtime.clock import SystemClock
from agent_runtime.config import Settings
from agent_runtime.engine.interface import Engine
from agent_runtime.engine.process import IsolatedEngine
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import ConfigError, JournalError, PersonaError
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.service import serve_queries
from agent_runtime.journal.writer import Journal
from agent_runtime.models import embedded_model
from agent_runtime.nights.schedule import Schedule
from agent_runtime.npc.catalogue import CatalogueStore
from agent_runtime.npc.memory import Memory
from agent_runtime.npc.persona import Persona, load_personas
from agent_runtime.registry.store import Registry
from agent_runtime.serving.serving import Serving
from agent_runtime.town.decisions import Decisions
from agent_runtime.town.record import Recorder
from agent_runtime.town.services import Services
from agent_runtime.town.town import Town
from agent_runtime.town.underway import Underway

DRAIN_SECONDS = 4.0

log = structlog.get_logger(__name__)


def personas_of(settings: Settings) -> dict[str, Persona]:
    """The shipped personas with the admin's own over them. Raises `PersonaError`."""
    personas = load_personas(*settings.persona_folders)
    if not personas:
        raise PersonaError(f"no personas in {settings.personas_folder}; put at least one .toml file there")
    return personas


def engine_of(settings: Settings) -> Engine:
    """The engine for the chosen model, not started yet. Raises `ModelFileError`."""
    model, chosen = settings.model, settings.engine
    if chosen.backend == "openai":
        # The HTTP client is for those who have such a server.
        from agent_runtime.engine.openai import OpenAIEngine

        return OpenAIEngine(
            chosen.url,
            model=chosen.model,
            api_key=chosen.api_key.get_secret_value(),
            slots=model.slots,
            queue=model.queue,
        )
    path = settings.model_path or embedded_model(settings.home)
    engine: Callable[..., Engine] = IsolatedEngine if chosen.isolated else LlamaEngine
    return engine(
        path,
        threads=model.threads,
        slots=model.slots,
        context=model.context,
        queue=model.queue,
        cache_mb=model.cache_mb,
    )


def _in_loop(loop: asyncio.AbstractEventLoop, tell: Callable[[str | None], None], alarm: str | None) -> None:
    """Called from the journal's own thread."""
    loop.call_soon_threadsafe(tell, alarm)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do what may take long, unless told to stop meanwhile: then it is cancelled. Returns whether it is done;
    raises what it raises."""
    task, told = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        await task
        return True
    log.info("stopping")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status. Raises `TownsfolkError` if it cannot start."""
    began = time.monotonic()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    clock = SystemClock()
    token = load_or_create_token(settings.token_path)
    personas = personas_of(settings)
    async with AsyncExitStack() as stack:
        journal = Journal.open(settings.journal_path, commit_ms=settings.journal.commit_ms)
        stack.push_async_callback(journal.close)
        if journal.recovered:
            log.warning("journal_recovered", rows=journal.recovered)
        queries = Queries(journal)
        memory = Memory(queries.recent_exchanges, settings.turn.memory)
        underway = Underway()
        decisions = Decisions(journal, memory, underway)
        try:
            await stack.enter_async_context(serve_queries(journal, forget=decisions.decide))
        except JournalError as error:
            log.warning("townsfolk_journal_has_to_wait", why=str(error))
        engine = engine_of(settings)
        stack.push_async_callback(engine.close)
        if not await _unless(stopping, engine.start()):
            return 0
        serving = Serving(engine, Registry(settings.registry_path), settings.registry, settings.canary, clock)
        stack.push_async_callback(serving.close)
        if isinstance(engine, IsolatedEngine):
            engine.follow(serving.engine_lost, serving.engine_back)
        await serving.start()  # to its end also when told to stop: half of one is held against a version
        services = Services(
            engine=engine,
            serving=serving,
            journal=journal,
            queries=queries,
            recorder=Recorder(clock, Pseudonyms.of_home(settings.home)),
            memory=memory,
            underway=underway,
            decisions=decisions,
            catalogues=CatalogueStore(settings.home / "catalogues"),
            limits=settings.turn,
            clock=clock,
        )
        town = Town(services, personas, settings.server.heartbeat_s, settings.privacy.consent)
        journal.on_alarm = partial(_in_loop, loop, town.alarmed)
        stack.push_async_callback(town.drain, DRAIN_SECONDS)
        bridge = Bridge(
            town,
            token=token,
            host=settings.server.host,
            port=settings.server.port,
            limits=Limits(connections=settings.server.max_connections),
            clock=clock,
        )
        try:
            await stack.enter_async_context(bridge)
        except OSError as error:
            where = f"{settings.server.host}:{settings.server.port}"
            problem = f"server.port: {where} cannot be listened on ({error.strerror}); "
            raise ConfigError([problem + "stop the program that has it, or choose another port"]) from error
        nights = Schedule(settings, queries)
        stack.push_async_callback(nights.close)
        log.info(
            "ready",
            address=f"ws://{settings.server.host}:{bridge.port}",
            model=engine.info.name,
            version=serving.champion,
            personas=len(personas),
            home=str(settings.home),
            seconds=round(time.monotonic() - began, 2),
        )
        await nights.start()
        await stopping.wait()
        log.info("stopping")
        await town.drain(DRAIN_SECONDS)
    log.info("stopped")
    return 0
