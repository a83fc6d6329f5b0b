"""The engine's one thread: orders come in through a queue, batches of events go out through a callback.

It loads the model, runs steps while anybody talks, sleeps on the queue when nobody does, and frees the
model at the end. No other thread ever enters the engine library.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent_runtime.engine.loading import Limits, Loaded, load
from agent_runtime.engine.prompts import Prompts
from agent_runtime.engine.sampling import choose_seed
from agent_runtime.engine.scheduler import Scheduler
from agent_runtime.engine.steps import Event, Steps
from agent_runtime.engine.talk import Talk
from agent_runtime.engine.template import Piece
from agent_runtime.engine.text import TextStream
from agent_runtime.errors import EngineError
from agent_runtime.npc.persona import Sampling

_log = logging.getLogger("townsfolk.engine")


@dataclass(slots=True, eq=False)
class Order:
    """A reply to make, from its rendered prompt. `limit` 0 only warms the shared beginning."""

    shared: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    sampling: Sampling
    limit: int
    deadline: float
    stop: tuple[str, ...] = ()
    created: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a reply without another word."""

    order: Order


@dataclass(frozen=True, slots=True)
class Stop:
    """End every reply and free the model."""


class Worker:
    """Serves one model file. The callbacks run on the worker's thread: `loaded` once, with the model or
    the reason why there is none; `deliver` after each step that yielded something, with orders as
    tickets; `ended` last of all."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        loaded: Callable[[Loaded | EngineError], None],
        deliver: Callable[[list[Event]], None],
        ended: Callable[[], None],
    ) -> None:
        self._path = path
        self._limits = limits
        self._loaded, self._deliver, self._ended = loaded, deliver, ended
        self._inbox: queue.SimpleQueue[Order | Cancel | Stop] = queue.SimpleQueue()
        # A daemon, because a library call that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, which has nothing left to do once `ended` was called."""
        self._thread.join()

    def send(self, order: Order | Cancel | Stop) -> None:
        """Hand over an order, from any thread."""
        self._inbox.put(order)

    def _run(self) -> None:
        try:
            loaded = load(self._path, self._limits)
        except Exception as error:
            if not isinstance(error, EngineError):
                _log.exception("cannot load %s", self._path)
                error = EngineError(f"{self._path}: cannot be loaded: {error}")
            self._loaded(error)
        else:
            self._loaded(loaded)
            self._serve(loaded)
            loaded.model.close()
        self._ended()

    def _serve(self, loaded: Loaded) -> None:
        prompts = Prompts(loaded.model, loaded.info.context)
        scheduler = Scheduler(loaded.model, loaded.slots, loaded.prefixes, loaded.cells)
        steps = Steps(loaded.model, scheduler, time.monotonic)
        while True:
            events: list[Event] = []
            for order in self._orders(block=steps.idle):
                if isinstance(order, Stop):
                    self._deliver(events + steps.fail_all(EngineError("the engine was stopped")))
                    return
                if isinstance(order, Cancel):
                    steps.cancel(order.order)
                else:
                    events += _begin(order, prompts, steps, loaded.info.context)
            try:
                events += steps.step()
            except Exception:
                # A fault of ours must not silence every character for good.
                _log.exception("a step of the engine failed")
                events += steps.fail_all(EngineError("the engine failed; its log says why"))
            if events:
                self._deliver(events)

    def _orders(self, block: bool) -> list[Order | Cancel | Stop]:
        orders = [self._inbox.get()] if block else []
        while not self._inbox.empty():
            orders.append(self._inbox.get())
        return orders


def _begin(order: Order, prompts: Prompts, steps: Steps, context: int) -> list[Event]:
    """Let a reply start; the event that says why not, otherwise."""
    try:
        prompt, shared = prompts.tokens(order.shared, order.rest, order.limit)
    except EngineError as error:
        return [(order, error)]
    except Exception:
        _log.exception("a prompt cannot be tokenised")
        return [(order, EngineError("the prompt cannot be read; the engine's log says why"))]
    if not order.limit:
        del prompt[shared:]
    steps.add(
        Talk(
            ticket=order,
            prompt=prompt,
            shared=shared,
            limit=min(order.limit, context - len(prompt)),
            sampling=order.sampling,
            seed=choose_seed(order.sampling.seed),
            created=order.created,
            deadline=order.deadline,
            text=TextStream(order.stop),
        )
    )
    return []
