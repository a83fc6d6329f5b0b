"""A worker in a process of its own: it takes the same orders as `worker.Worker` and calls back the same way.

A native crash there is an `EngineDown` here, for all orders that wait and all that come later. Nothing here
keeps the event loop waiting that called `start`, and to which all of it belongs.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_runtime.engine import modelfile, wire
from agent_runtime.engine.ggufheader import Header
from agent_runtime.engine.interface import Chunk, ModelInfo
from agent_runtime.engine.loading import Limits
from agent_runtime.engine.orders import AnyOrder, Cancel, Done, Load, Order, Ping, Unload
from agent_runtime.engine.steps import Event
from agent_runtime.engine.template import ChatTemplate
from agent_runtime.engine.worker import Ready
from agent_runtime.errors import EngineDown, EngineError


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """What is known here of a model that is loaded there."""

    info: ModelInfo
    template: ChatTemplate
    header: Header


class RemoteWorker(asyncio.Protocol):
    """Serves one model file from another process; arguments and callbacks are those of `worker.Worker`."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        loaded: Callable[[Ready | EngineError], None],
        deliver: Callable[[list[Event]], None],
        ended: Callable[[], None],
    ) -> None:
        self._path = path
        self._loaded, self._deliver, self._ended = loaded, deliver, ended
        self._frames = wire.Frames()
        self._numbers = itertools.count(1)
        self._orders: dict[int, Order] = {}
        self._ids: dict[Order, int] = {}
        self._asked: dict[int, Done] = {}
        self._pings: deque[Ping] = deque()
        self._outbox: list[wire.Command] = [wire.Open(path, limits)]
        self._transport: asyncio.WriteTransport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._lost: EngineDown | None = None

    @property
    def dead(self) -> bool:
        """Whether the process is gone, or on its way out; orders are answered with an `EngineDown` then."""
        return self._lost is not None

    @property
    def pid(self) -> int:
        """The other process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start the process and begin to load."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "agent_runtime.engine.child", str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                self._end(EngineDown(f"the engine's process cannot be started: {error}"))
                return
        self._do(asyncio.get_running_loop().create_connection(lambda: self, sock=ours))

    def join(self) -> None:
        """Wait for nothing: the process is gone when `ended` is called."""

    async def kill(self) -> None:
        """End the process at once, whatever it does; the callbacks tell the rest."""
        if self._process:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    def send(self, order: AnyOrder) -> None:
        """Hand over an order; all of one turn of the event loop go together."""
        if self._lost:
            self._refuse(order, self._lost)
            return
        command = self._command(order)
        if command is None:
            return
        if self._transport and not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(command)

    def _refuse(self, order: AnyOrder, error: EngineDown) -> None:
        if isinstance(order, Order):
            self._deliver([(order, error)])
        elif isinstance(order, Load | Unload):
            order.done(error)

    def _command(self, order: AnyOrder) -> wire.Command | None:
        if isinstance(order, Order):
            number = self._ids[order] = next(self._numbers)
            self._orders[number] = order
            return wire.Begin(number, order)
        if isinstance(order, Cancel):
            gone = self._ids.pop(order.order, None)
            if gone is None:
                return None
            del self._orders[gone]
            return wire.Abandon(gone)
        if isinstance(order, Load | Unload):
            number = next(self._numbers)
            self._asked[number] = order.done
            if isinstance(order, Unload):
                return wire.UnloadLane(number, order.key)
            return wire.LoadLane(number, order.lane, order.digest, order.merged)
        if isinstance(order, Ping):
            self._pings.append(order)
            return wire.Knock()
        return wire.Quit()

    def _flush(self) -> None:
        if self._transport and self._outbox:
            self._transport.write(wire.frame(self._outbox))
            self._outbox = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Something came of a step."""
        for content in self._frames.feed(data):
            events: list[Event] = []
            for answer in wire.answers(content):
                self._take(answer, events)
            if events:
                self._deliver(events)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process ended, as it was told to or not."""
        self._lost = EngineDown("the engine's process is about to end")
        self._do(self._bury())

    async def _bury(self) -> None:
        await self.kill()
        assert self._process
        self._end(EngineDown(f"the engine's process ended (status {self._process.returncode})"))

    def _end(self, error: EngineDown) -> None:
        """Answer all who wait."""
        self._lost = error
        self._loaded(error)  # counts only when nothing was loaded before
        self._deliver([(order, error) for order in self._orders.values()])
        for done in self._asked.values():
            done(error)
        self._ended()

    def _take(self, answer: wire.Answer, events: list[Event]) -> None:
        match answer:
            case wire.Said():
                order = self._orders.get(answer.id)
                if order:
                    events.append((order, Chunk(answer.text)))
            case wire.Ended() | wire.Failed():
                order = self._orders.pop(answer.id, None)
                if order:
                    del self._ids[order]
                    over = answer.finish if isinstance(answer, wire.Ended) else wire.error(answer.fault)
                    events.append((order, over))
            case wire.Done():
                self._asked.pop(answer.id)(wire.error(answer.fault) if answer.fault else None)
            case wire.Alive():
                if self._pings:
                    self._pings.popleft().done()
            case wire.Refused():
                self._loaded(wire.error(answer.fault))
                self._hang_up()
            case wire.Opened():
                self._do(self._open(answer))
            case wire.Closed():
                self._hang_up()

    async def _open(self, answer: wire.Opened) -> None:
        try:
            header = await asyncio.to_thread(modelfile.read_header, self._path)
            template = ChatTemplate(answer.template, answer.bos, answer.eos)
        except EngineError as error:
            self._loaded(error)
        else:
            self._loaded(RemoteModel(answer.info, template, header))

    def _hang_up(self) -> None:
        if self._transport:
            self._transport.close()

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
