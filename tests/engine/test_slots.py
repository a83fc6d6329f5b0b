"""Places that are given to the most urgent first, and never lost."""

from __future__ import annotations

import asyncio

from agent_runtime.engine.interface import Priority
from agent_runtime.engine.slots import Slots


async def test_players_go_first_and_equals_in_the_order_they_came() -> None:
    slots, served = Slots(1), list[str]()

    async def want(name: str, priority: Priority) -> None:
        async with slots.one(priority):
            served.append(name)

    async with slots.one(Priority.BACKGROUND):
        wanting = [
            asyncio.create_task(want(name, priority))
            for name, priority in (
                ("evaluation", Priority.BACKGROUND),
                ("chatter", Priority.CHATTER),
                ("alice", Priority.PLAYER),
                ("bob", Priority.PLAYER),
            )
        ]
        await asyncio.sleep(0)
        assert served == []
    await asyncio.gather(*wanting)
    assert served == ["alice", "bob", "chatter", "evaluation"]


async def test_whoever_leaves_takes_no_place_along() -> None:
    slots = Slots(1)

    async def want() -> None:
        async with slots.one(Priority.PLAYER):
            await asyncio.sleep(0)

    async with slots.one(Priority.PLAYER):
        waits, called, last = (asyncio.create_task(want()) for _ in range(3))
        await asyncio.sleep(0)
        waits.cancel()
    # The place is now another's, who leaves before it hears of that.
    called.cancel()
    async with asyncio.timeout(5):
        await last
        await want()
    assert waits.cancelled()
    assert called.cancelled()
