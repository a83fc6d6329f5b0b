from __future__ import annotations

import asyncio

from agent_runtime.bridge.outbox import Outbox


async def test_frames_leave_in_the_order_they_came() -> None:
    outbox = Outbox()
    assert all(outbox.put(frame) for frame in (b"one", "two", b"three"))
    outbox.finish()
    assert [await outbox.take() for _ in range(4)] == [b"one", "two", b"three", None]


async def test_who_waits_gets_the_next_frame() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"at last")
    assert await asyncio.wait_for(waiting, 5) == b"at last"


async def test_who_waits_is_told_of_the_end() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    outbox.finish()
    assert await asyncio.wait_for(waiting, 5) is None


async def test_too_many_frames_end_it_all_because_a_gap_would_be_worse() -> None:
    outbox = Outbox(max_frames=2)
    assert outbox.put(b"1")
    assert outbox.put(b"2")
    assert not outbox.put(b"3")
    assert outbox.overflowed
    assert await outbox.take() is None
    assert not outbox.put(b"4")


async def test_too_many_bytes_end_it_too() -> None:
    outbox = Outbox(max_bytes=10)
    assert outbox.put(b"12345")
    assert await outbox.take() == b"12345"
    assert outbox.put(b"1234567890")
    assert not outbox.put(b"1")
    assert len(outbox) == 1
