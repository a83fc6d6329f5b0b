"""The engine's one thread: orders come in through a queue, batches of events go out through a callback.

It loads the model, runs steps while anybody talks, sleeps on the queue when nobody does, and frees the
model at the end. No other thread ever enters the engine library.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from agent_runtime.engine.ggufheader import Header
from agent_runtime.engine.interface import Chunk, ModelInfo
from agent_runtime.engine.lanes import Lanes
from agent_runtime.engine.loading import Limits, Loaded, load
from agent_runtime.engine.orders import AnyOrder, Cancel, Load, Order, Ping, Stop, Unload
from agent_runtime.engine.prompts import Prompts
from agent_runtime.engine.sampling import choose_seed
from agent_runtime.engine.steps import Event
from agent_runtime.engine.talk import Talk
from agent_runtime.engine.template import ChatTemplate
from agent_runtime.engine.text import TextStream
from agent_runtime.errors import EngineError

TOGETHER_S = 0.001
"""Words of one reply that follow each other faster than this are delivered together: to wake the event loop
costs a small model's engine a tenth of its speed."""

_log = logging.getLogger("townsfolk.engine")


class Ready(Protocol):
    """What the event loop needs to know of a loaded model."""

    @property
    def info(self) -> ModelInfo:
        """What it is."""

    @property
    def template(self) -> ChatTemplate:
        """Its chat template."""

    @property
    def header(self) -> Header:
        """What its file says of itself."""


class AnyWorker(Protocol):
    """A worker, here or in another process."""

    def start(self) -> None:
        """Begin to load."""

    def join(self) -> None:
        """Wait for its end, once `ended` was called."""

    def send(self, order: AnyOrder) -> None:
        """Hand over an order."""


class Worker:
    """Serves one model file. The callbacks run on the worker's thread: `loaded` once, with the model or
    the reason why there is none; `deliver` with what steps yielded, orders as tickets; `ended` last of
    all."""

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
        self._inbox: queue.SimpleQueue[AnyOrder] = queue.SimpleQueue()
        # A daemon, because a library call that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread, which has nothing left to do once `ended` was called."""
        self._thread.join()

    def send(self, order: AnyOrder) -> None:
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
        self._ended()

    def _serve(self, loaded: Loaded) -> None:
        prompts = Prompts(loaded.model, loaded.info.context)
        lanes = Lanes(loaded)
        loading: deque[tuple[Load, Iterator[None]]] = deque()
        events: list[Event] = []
        delivered = 0.0
        while True:
            for order in self._orders(block=lanes.idle and not loading):
                if isinstance(order, Stop):
                    self._deliver(events + lanes.fail_all(EngineError("the engine was stopped")))
                    for unfinished, _ in loading:
                        unfinished.done(EngineError("the engine was stopped"))
                    lanes.close()
                    return
                if isinstance(order, Cancel):
                    lanes.cancel(order.order)
                elif isinstance(order, Load):
                    loading.append((order, lanes.load(order)))
                elif isinstance(order, Unload):
                    lanes.unload(order.key, order.done)
                elif isinstance(order, Ping):
                    order.done()
                else:
                    events += _begin(order, prompts, lanes, loaded.info.context)
            try:
                if loading and _advance(*loading[0]):
                    loading.popleft()
                events += lanes.step()
                lanes.sweep()
            except Exception:
                # A fault of ours must not silence every character for good.
                _log.exception("a step of the engine failed")
                events += lanes.fail_all(EngineError("the engine failed; its log says why"))
            now = time.monotonic()
            if events and (lanes.idle or now - delivered >= TOGETHER_S or not _words_only(events)):
                self._deliver(events)
                events, delivered = [], now

    def _orders(self, block: bool) -> list[AnyOrder]:
        orders = [self._inbox.get()] if block else []
        while not self._inbox.empty():
            orders.append(self._inbox.get())
        return orders


def _words_only(events: list[Event]) -> bool:
    return all(isinstance(event, Chunk) for _, event in events)


def _advance(order: Load, work: Iterator[None]) -> bool:
    """One bit of the work of loading a lane; whether that was the last."""
    try:
        next(work)
        return False
    except StopIteration:
        order.done(None)
    except EngineError as error:
        order.done(error)
    except Exception as error:
        _log.exception("cannot load %s", order.lane)
        order.done(EngineError(f"{order.lane.adapter}: cannot be loaded: {error}"))
    return True


def _begin(order: Order, prompts: Prompts, lanes: Lanes, context: int) -> list[Event]:
    """Let a reply start; the event that says why not, otherwise."""
    try:
        version = lanes.version(order.lane)
        prompt, shared = prompts.tokens(order.shared, order.rest, order.limit)
    except EngineError as error:
        return [(order, error)]
    except Exception:
        _log.exception("a prompt cannot be tokenised")
        return [(order, EngineError("the prompt cannot be read; the engine's log says why"))]
    if order.limit:
        # A reply goes on from the logits of the last token, which a kept prefix does not have.
        shared = min(shared, len(prompt) - 1)
    elif not order.talk:
        del prompt[shared:]
    lanes.add(
        Talk(
            ticket=order,
            prompt=prompt,
            shared=shared,
            limit=min(order.limit, context - len(prompt)),
            sampling=order.sampling,
            seed=choose_seed(order.sampling.seed),
            created=order.created,
            deadline=order.deadline,
            version=version,
            text=TextStream(order.stop),
            key=order.talk,
            player=order.player,
            priority=order.priority,
            grammar=order.grammar,
        )
    )
    return []
