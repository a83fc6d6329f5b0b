"""A worker in another process that has ended: whoever asks it for something is told so."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from agent_runtime.engine.interface import Lane
from agent_runtime.engine.loading import Limits
from agent_runtime.engine.orders import Cancel, Load, Order, Ping, Unload
from agent_runtime.engine.remote import RemoteWorker
from agent_runtime.engine.steps import Event
from agent_runtime.engine.worker import Ready
from agent_runtime.errors import EngineDown, EngineError
from agent_runtime.npc.persona import Sampling


async def test_orders_to_a_process_that_has_ended_are_answered(noise: Path) -> None:
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[Ready | EngineError] = loop.create_future()
    ended = asyncio.Event()
    events: list[Event] = []
    worker = RemoteWorker(
        noise,
        Limits(threads=1, slots=2, context=0),
        loaded=lambda result: None if loaded.done() else loaded.set_result(result),
        deliver=events.extend,
        ended=ended.set,
    )
    worker.start()
    assert not isinstance(await loaded, EngineError)
    assert not worker.dead
    await worker.kill()
    async with asyncio.timeout(10):
        await ended.wait()
    assert worker.dead
    answers: list[EngineError | None] = []
    order = Order((), (), Sampling(), 3, time.monotonic() + 30)
    worker.send(order)
    worker.send(Cancel(order))
    worker.send(Load(Lane("v1", noise), "", None, answers.append))
    worker.send(Unload("v1", answers.append))
    worker.send(Ping(lambda: answers.append(None)))
    assert [(ticket, type(event)) for ticket, event in events] == [(order, EngineDown)]
    assert [type(answer) for answer in answers] == [EngineDown, EngineDown]
    assert "status -9" in str(answers[0])
