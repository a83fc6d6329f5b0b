"""The shared beginnings of prompts, and who has read them."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.engine.interface import Lane
from agent_runtime.npc.prompt import Message
from agent_runtime.serving.prefixes import MOST, Prefixes
from tests.support.engine import ScriptedEngine


def persona(number: int) -> tuple[Message, ...]:
    return (Message("system", f"You are {number}."),)


async def test_a_lane_reads_the_latest_ones_first_and_each_once() -> None:
    engine = ScriptedEngine()
    await engine.start()
    prefixes = Prefixes(engine)
    for number in (1, 2, 3, 1):
        prefixes.keep(persona(number))
    await prefixes.warm("")
    assert engine.warmed == [persona(1), persona(3), persona(2)]


async def test_the_oldest_are_forgotten() -> None:
    engine = ScriptedEngine()
    await engine.start()
    prefixes = Prefixes(engine)
    for number in range(MOST + 2):
        prefixes.keep(persona(number))
    await prefixes.warm("")
    assert len(engine.warmed) == MOST
    assert persona(1) not in engine.warmed


async def test_a_lane_that_is_gone_does_not_keep_the_others_cold(tmp_path: Path) -> None:
    adapter = tmp_path / "v2.gguf"
    adapter.touch()
    engine = ScriptedEngine()
    await engine.start()
    await engine.load(Lane("v2", adapter))
    prefixes = Prefixes(engine)
    prefixes.keep(persona(1))
    await prefixes.warm_again(["v1", "v2"])
    assert engine.warmed_lanes == ["v2"]
