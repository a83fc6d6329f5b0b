"""What the runtime consists of, once it is put together: `app` fills it in, the town and its talks work with
it. No code of its own."""

from __future__ import annotations

from dataclasses import dataclass

from agent_runtime.clock import Clock
from agent_runtime.engine.interface import Engine
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.catalogue import CatalogueStore
from agent_runtime.npc.memory import Memory
from agent_runtime.sections import Turn
from agent_runtime.serving.serving import Serving
from agent_runtime.town.decisions import Decisions
from agent_runtime.town.record import Recorder
from agent_runtime.town.underway import Underway


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that are shared; `limits` are the settings of a turn."""

    engine: Engine
    serving: Serving
    journal: Journal
    queries: Queries
    recorder: Recorder
    memory: Memory
    underway: Underway
    decisions: Decisions
    catalogues: CatalogueStore
    limits: Turn
    clock: Clock
