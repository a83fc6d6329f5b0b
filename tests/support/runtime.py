"""The whole runtime but for the model: a real socket, a real journal, and whatever engine a test gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_runtime.bridge.server import Bridge
from agent_runtime.clock import SystemClock
from agent_runtime.engine.interface import Engine
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.catalogue import CatalogueStore
from agent_runtime.npc.memory import Memory
from agent_runtime.registry.store import Registry
from agent_runtime.sections import Canary, Turn
from agent_runtime.sections import Registry as RegistrySettings
from agent_runtime.serving.serving import Serving
from agent_runtime.town.decisions import Decisions
from agent_runtime.town.record import Recorder
from agent_runtime.town.services import Services
from agent_runtime.town.town import Town
from agent_runtime.town.underway import Underway
from tests.support.game import TOKEN
from tests.support.town import MIRA as PERSONA


@dataclass
class Running:
    """What a test asks of it."""

    port: int
    journal: Journal
    queries: Queries
    pseudonyms: Pseudonyms
    registry: Registry
    serving: Serving
    memory: Memory
    decisions: Decisions


@asynccontextmanager
async def town(
    home: Path,
    engine: Engine,
    *,
    port: int = 0,
    canary: Canary | None = None,
    asking: type[Queries] = Queries,
    **limits: Any,
) -> AsyncIterator[Running]:
    """A started town with a registry below `home`, which reads its journal by `asking`; `limits` are settings
    of a turn."""
    await engine.start()
    clock = SystemClock()
    journal = Journal.open(home / "journal.duckdb", commit_ms=1)
    queries = asking(journal)
    pseudonyms = Pseudonyms.of_home(home)
    turn = Turn(**limits)
    memory = Memory(queries.recent_exchanges, turn.memory)
    underway = Underway()
    decisions = Decisions(journal, memory, underway)
    registry = Registry(home / "registry")
    serving = Serving(engine, registry, RegistrySettings(poll_ms=20), canary or Canary(), clock)
    await serving.start()
    services = Services(
        engine=engine,
        serving=serving,
        journal=journal,
        queries=queries,
        recorder=Recorder(clock, pseudonyms),
        memory=memory,
        underway=underway,
        decisions=decisions,
        catalogues=CatalogueStore(home / "catalogues"),
        limits=turn,
        clock=clock,
    )
    handler = Town(services, {"mira": PERSONA}, heartbeat=1.0)
    try:
        async with Bridge(handler, token=TOKEN, port=port) as bridge:
            yield Running(bridge.port, journal, queries, pseudonyms, registry, serving, memory, decisions)
            await handler.drain(2)
    finally:
        await serving.close()
        await journal.close()
