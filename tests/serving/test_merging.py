"""Whose copy is merged. When that happens stands in test_serving.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.engine.interface import Lane
from agent_runtime.errors import EngineError
from agent_runtime.npc.prompt import Message
from agent_runtime.serving.merging import merge
from agent_runtime.serving.prefixes import Prefixes
from tests.support.engine import ScriptedEngine


async def test_the_champion_alone_is_merged_and_reads_the_prompts_anew(tmp_path: Path) -> None:
    adapter = tmp_path / "any.gguf"
    adapter.touch()
    engine = ScriptedEngine()
    await engine.start()
    await engine.load(Lane("1", adapter, merged=True))
    await engine.load(Lane("2", adapter))
    prefixes = Prefixes(engine)
    prefixes.keep((Message("system", "You are Mira."),))
    await merge(engine, prefixes, "2")
    assert [(lane.key, lane.merged) for lane in engine.lanes] == [("", False), ("1", False), ("2", True)]
    assert engine.warmed_lanes == ["2"]


class FullEngine(ScriptedEngine):
    """Has no memory for a merged copy."""

    async def load(self, lane: Lane) -> None:
        if lane.merged:
            raise EngineError("no memory for it")
        await super().load(lane)


async def test_what_cannot_be_merged_serves_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tmp_path / "any.gguf"
    adapter.touch()
    engine = FullEngine()
    await engine.start()
    await engine.load(Lane("1", adapter))
    await merge(engine, Prefixes(engine), "1")
    assert [lane.key for lane in engine.lanes] == ["", "1"]
    assert "version_not_merged" in capsys.readouterr().out
