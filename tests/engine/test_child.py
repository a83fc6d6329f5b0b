"""The engine's process, here in a thread: what it keeps of replies that nobody waits for."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_runtime.engine import wire
from agent_runtime.engine.child import Child
from agent_runtime.engine.loading import Limits
from agent_runtime.engine.orders import Order
from agent_runtime.engine.template import Piece
from agent_runtime.npc.persona import Sampling


class Link:
    """The runtime's end of the socket."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self._frames = wire.Frames()
        self._waiting: list[wire.Answer] = []

    def send(self, *commands: wire.Command) -> None:
        self._ours.sendall(wire.frame(commands))

    def answers(self) -> Iterator[wire.Answer]:
        while True:
            while self._waiting:
                yield self._waiting.pop(0)
            for content in self._frames.feed(self._ours.recv(65536)):
                self._waiting += wire.answers(content)


@contextmanager
def child(model: Path) -> Iterator[Link]:
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    thread = threading.Thread(target=Child(theirs).run)
    thread.start()
    with ours, theirs:
        link = Link(ours)
        link.send(wire.Open(model, Limits(threads=1, slots=2, context=0)))
        try:
            assert isinstance(next(link.answers()), wire.Opened)
            yield link
            link.send(wire.Quit())
            for answer in link.answers():
                if isinstance(answer, wire.Closed):
                    break
        finally:
            ours.shutdown(socket.SHUT_WR)
            thread.join(30)


def order(tokens: int) -> Order:
    return Order((), (Piece("hello", False),), Sampling(max_tokens=tokens), tokens, time.monotonic() + 30)


def test_replies_that_were_abandoned_leave_nothing_behind(endless: Path) -> None:
    with child(endless) as link:
        for number in range(1, 40):
            link.send(wire.Begin(number, order(3_000)))
            if number % 2:
                answer = next(link.answers())
                assert isinstance(answer, wire.Said)
            link.send(wire.Abandon(number))
        link.send(wire.Begin(40, order(3)))
        ended = next(answer for answer in link.answers() if isinstance(answer, wire.Ended))
        assert (ended.id, ended.finish.completion_tokens) == (40, 3)
        gc.collect()
        assert sum(isinstance(kept, Order) for kept in gc.get_objects()) <= 1


def test_a_long_prompt_shows_signs_of_life_unasked(noise: Path) -> None:
    with child(noise) as link:
        read = order(0)
        read.rest, read.talk = (Piece("word " * 80, False),), "alice"
        link.send(wire.Begin(1, read))
        told = []
        for answer in link.answers():
            told.append(type(answer))
            if isinstance(answer, wire.Ended):
                break
        assert wire.Alive in told
