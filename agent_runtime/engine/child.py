"""The engine's process: orders come in through a socket, what came of each step goes out through it.

`python -m agent_runtime.engine.child FD` is started by `remote.RemoteWorker`. The main thread reads orders;
the engine's thread writes answers. It ends when it is told to, or when the runtime is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from functools import partial

from agent_runtime.engine import wire
from agent_runtime.engine.interface import Chunk, Finish
from agent_runtime.engine.loading import Loaded
from agent_runtime.engine.orders import Cancel, Load, Order, Ping, Stop, Unload
from agent_runtime.engine.steps import Event
from agent_runtime.engine.worker import Worker
from agent_runtime.errors import EngineError


class Child:
    """Between the socket and the worker."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._frames = wire.Frames()
        self._orders: dict[int, Order] = {}
        self._ids: dict[object, int] = {}
        self._worker: Worker | None = None

    def run(self) -> None:
        """Obey until the runtime hangs up."""
        while data := self._link.recv(65536):
            for content in self._frames.feed(data):
                for command in wire.commands(content):
                    self._obey(command)

    def _obey(self, command: wire.Command) -> None:
        if isinstance(command, wire.Open):
            self._worker = Worker(command.path, command.limits, self._loaded, self._deliver, self._ended)
            self._worker.start()
            return
        assert self._worker
        match command:
            case wire.Begin():
                self._orders[command.id] = command.order
                self._ids[command.order] = command.id
                self._worker.send(command.order)
            case wire.Abandon():
                order = self._orders.pop(command.id, None)
                if order:
                    self._ids.pop(order, None)
                    self._worker.send(Cancel(order))
            case wire.LoadLane():
                done = partial(self._done, command.id)
                self._worker.send(Load(command.lane, command.digest, command.merged, done))
            case wire.UnloadLane():
                self._worker.send(Unload(command.key, partial(self._done, command.id)))
            case wire.Knock():
                self._worker.send(Ping(partial(self._send, [wire.Alive()])))
            case wire.Quit():
                self._worker.send(Stop())

    # From here on everything runs on the engine's thread.

    def _loaded(self, result: Loaded | EngineError) -> None:
        if isinstance(result, EngineError):
            self._send([wire.Refused(wire.fault(result))])
            return
        model = result.model
        model.pulse.listen(partial(self._send, [wire.Alive()]))
        template = model.chat_template() or ""
        self._send([wire.Opened(result.info, template, model.text(model.bos), model.text(model.eos))])

    def _deliver(self, events: list[Event]) -> None:
        answers = [self._answer(ticket, event) for ticket, event in events]
        self._send([answer for answer in answers if answer])

    def _answer(self, ticket: object, event: Chunk | Finish | EngineError) -> wire.Answer | None:
        """None for a reply that was abandoned meanwhile: nobody there waits for it."""
        number = self._ids.get(ticket)
        if number is None:
            return None
        if isinstance(event, Chunk):
            return wire.Said(number, event.text)
        self._ids.pop(ticket, None)
        self._orders.pop(number, None)
        if isinstance(event, Finish):
            return wire.Ended(number, event)
        return wire.Failed(number, wire.fault(event))

    def _done(self, number: int, error: EngineError | None) -> None:
        self._send([wire.Done(number, wire.fault(error) if error else None)])

    def _ended(self) -> None:
        self._send([wire.Closed()])

    def _send(self, answers: list[wire.Answer]) -> None:
        try:
            self._link.sendall(wire.frame(answers))
        except OSError:
            os._exit(0)  # the runtime is gone, and with it whoever could be told


if __name__ == "__main__":
    # A service manager signals every process, and a terminal, too; the runtime decides when we end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        Child(socket.socket(fileno=int(sys.argv[1]))).run()
    finally:
        os._exit(0)  # without waiting for an engine that may hang
