"""Work of a player goes on until it is ended, and waits while there is to be none."""

from __future__ import annotations

import asyncio

from agent_runtime.town.underway import Underway


class Work:
    """Goes on until it is let go; tells what became of it."""

    def __init__(self) -> None:
        self.told = "waits"
        self.go = asyncio.Event()

    async def __call__(self) -> None:
        self.told = "goes on"
        try:
            await self.go.wait()
            self.told = "done"
        except asyncio.CancelledError:
            self.told = "ended"
            raise


async def begun(underway: Underway, *owners: tuple[str, str]) -> list[Work]:
    works = [Work() for _ in owners]
    for (session, player), work in zip(owners, works, strict=True):
        underway.begin(session, player, work)
    await asyncio.sleep(0)
    return works


async def test_only_what_is_meant_ends() -> None:
    underway = Underway()
    works = await begun(underway, ("s1", "ann"), ("s1", "bert"), ("s2", "ann"), ("s2", "bert"))
    await asyncio.wait(underway.end(session="s1", player="ann"))
    assert [work.told for work in works] == ["ended", "goes on", "goes on", "goes on"]
    await asyncio.wait(underway.end(player="ann"))
    assert [work.told for work in works] == ["ended", "goes on", "ended", "goes on"]
    await asyncio.wait(underway.end(session="s1"))
    works[3].go.set()
    await asyncio.wait(underway.tasks())
    assert [work.told for work in works] == ["ended", "ended", "ended", "done"]
    assert underway.tasks() == []


async def test_nothing_of_a_player_goes_on_or_begins_while_there_is_to_be_none() -> None:
    underway = Underway()
    before, others = await begun(underway, ("s1", "ann"), ("s1", "bert"))
    async with underway.none_of("ann"):
        meanwhile, left = await begun(underway, ("s1", "ann"), ("s2", "ann"))
        assert [work.told for work in (before, others, meanwhile, left)] == [
            "ended",
            "goes on",
            "waits",
            "waits",
        ]
        underway.end(session="s2")
    (after,) = await begun(underway, ("s1", "ann"))
    await asyncio.sleep(0)
    assert [work.told for work in (meanwhile, left, after)] == ["goes on", "waits", "goes on"]
    for task in underway.end():
        await asyncio.wait([task])
