import asyncio

import pytest

from agent_runtime.npc.attention import Attention, TooFast, TooLate, TooMany
from tests.support.clock import ManualClock


def test_a_player_may_say_so_many_lines_in_ten_seconds() -> None:
    clock = ManualClock()
    attention = Attention(clock, lines_per_window=2, talks_per_npc=1, queue_per_npc=1)
    attention.note_line("alice")
    attention.note_line("alice")
    with pytest.raises(TooFast):
        attention.note_line("alice")
    attention.note_line("bob")
    clock.advance(10.1)
    attention.note_line("alice")


async def test_one_talk_is_answered_in_order_and_a_full_queue_is_refused() -> None:
    attention = Attention(ManualClock(), lines_per_window=9, talks_per_npc=1, queue_per_npc=1)
    order: list[str] = []
    release = asyncio.Event()

    async def talk(name: str) -> None:
        async with attention.turn("mira", name, 60):
            order.append(name)
            await release.wait()

    first = asyncio.create_task(talk("alice"))
    second = asyncio.create_task(talk("bob"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["alice"]
    with pytest.raises(TooMany):
        async with attention.turn("mira", "carol", 60):
            pass
    release.set()
    await asyncio.gather(first, second)
    assert order == ["alice", "bob"]
    async with attention.turn("mira", "carol", 60):
        pass


async def test_a_cancelled_turn_gives_its_place_back() -> None:
    attention = Attention(ManualClock(), lines_per_window=9, talks_per_npc=1, queue_per_npc=0)

    async def forever() -> None:
        async with attention.turn("mira", "alice", 60):
            await asyncio.Event().wait()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with attention.turn("mira", "bob", 60):
        pass


async def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    attention = Attention(ManualClock(), lines_per_window=9, talks_per_npc=1, queue_per_npc=1)
    async with attention.turn("mira", "alice", 60):
        for _ in range(3):
            with pytest.raises(TooLate):
                async with attention.turn("mira", "bob", 0.01):
                    pass
            with pytest.raises(TooLate):
                async with attention.turn("mira", "alice", 0.01):
                    pass
    async with attention.turn("mira", "bob", 0.01):
        pass
