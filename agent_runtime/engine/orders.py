"""What the event loop tells the engine's thread: replies to make, lanes to load, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent_runtime.engine.interface import BASE_LANE, Grammar, Lane, Priority
from agent_runtime.engine.template import Piece
from agent_runtime.errors import EngineError
from agent_runtime.npc.persona import Sampling

# Called on the engine's thread: done, or the reason why not.
Done = Callable[[EngineError | None], None]


@dataclass(slots=True, eq=False)
class Order:
    """A reply to make, from its rendered prompt. `limit` 0 only reads the prompt: the shared beginning,
    or all of it where there is a `talk` to keep it for."""

    shared: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    sampling: Sampling
    limit: int
    deadline: float
    stop: tuple[str, ...] = ()
    lane: str = BASE_LANE
    talk: str = ""
    player: str = ""
    priority: Priority = Priority.PLAYER
    grammar: Grammar | None = None
    created: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a reply without another word."""

    order: Order


@dataclass(frozen=True, slots=True)
class Load:
    """Make a lane ready, whose adapter was checked and has this digest; `merged` is a copy of the base
    with the adapter merged in, to serve from if it says the same."""

    lane: Lane
    digest: str
    merged: Path | None
    done: Done


@dataclass(frozen=True, slots=True)
class Unload:
    """Take a lane out of service and free it once nobody talks to it."""

    key: str
    done: Done


@dataclass(frozen=True, slots=True)
class Ping:
    """Call back at once, which shows that the engine's thread goes on."""

    done: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """End every reply and free the model."""


AnyOrder = Order | Cancel | Load | Unload | Ping | Stop
