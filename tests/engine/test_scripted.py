"""The engine without a model keeps the contract that others rely on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Finish, Lane, Request
from agent_runtime.errors import AdapterError, EngineBusy, EngineError, LaneUnknown, PromptTooLong
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.engine import Reply, ScriptedEngine


def _request(line: str = "hi", seconds: float = 10, tokens: int = 50) -> Request:
    return Request((Message("user", line),), Sampling(max_tokens=tokens), time.monotonic() + seconds)


async def _told(engine: Engine, asked: Request) -> tuple[list[str], Finish]:
    events = [event async for event in engine.generate(asked)]
    finish = events.pop()
    assert isinstance(finish, Finish)
    return [event.text for event in events if isinstance(event, Chunk)], finish


async def test_replies_come_in_order_and_the_last_again() -> None:
    engine = ScriptedEngine(["One two.", "Three."])
    await engine.start()
    told = [await _told(engine, _request()) for _ in range(3)]
    assert [text for text, _ in told] == [["One", " two."], ["Three."], ["Three."]]
    assert [finish.reason for _, finish in told] == ["stop"] * 3


async def test_a_function_answers_the_request() -> None:
    engine = ScriptedEngine(lambda request: request.messages[-1].content.upper())
    await engine.start()
    assert (await _told(engine, _request("hello")))[0] == ["HELLO"]


async def test_an_endless_reply_ends_at_the_limit_or_the_deadline() -> None:
    engine = ScriptedEngine([Reply("on and", between=0.01, endless=True)])
    await engine.start()
    words, finish = await _told(engine, _request(tokens=5))
    assert (len(words), finish.reason) == (5, "length")
    _, finish = await _told(engine, _request(seconds=0.05))
    assert finish.reason == "deadline"


async def test_a_silent_engine_meets_its_deadline() -> None:
    engine = ScriptedEngine([Reply(first=60)])
    await engine.start()
    words, finish = await _told(engine, _request(seconds=0.05))
    assert (words, finish.reason) == ([], "deadline")


async def test_errors_and_back_pressure_are_raised() -> None:
    engine = ScriptedEngine([Reply("half a", error=EngineError("boom"))], context=3)
    with pytest.raises(EngineError, match="not running"):
        await _told(engine, _request())
    await engine.start()
    with pytest.raises(EngineError, match="boom"):
        await _told(engine, _request())
    with pytest.raises(PromptTooLong):
        await _told(engine, _request("one two three four"))
    busy = ScriptedEngine(slots=0, queue=0)
    await busy.start()
    with pytest.raises(EngineBusy):
        await _told(busy, _request())


async def test_leaving_is_counted_and_closing_ends_everybody() -> None:
    engine = ScriptedEngine([Reply("on and on", between=60)])
    await engine.start()
    talk = engine.generate(_request(seconds=100))
    await anext(talk)
    await talk.aclose()
    assert engine.cancelled == 1
    other = asyncio.create_task(_told(engine, _request(seconds=100)))
    await asyncio.sleep(0.01)
    await engine.close()
    with pytest.raises(EngineError, match="closed"):
        await other
    assert engine.cancelled == 1


async def test_a_lane_serves_from_load_to_unload(tmp_path: Path) -> None:
    engine = ScriptedEngine([Reply("on and on", between=60)])
    await engine.start()
    with pytest.raises(LaneUnknown):
        await _told(engine, replace(_request(), lane="v1"))
    with pytest.raises(AdapterError):
        await engine.load(Lane("v1", tmp_path / "absent.gguf"))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    await engine.load(Lane("v1", tmp_path / "a.gguf"))
    assert [lane.key for lane in engine.lanes] == [BASE_LANE, "v1"]
    talk = engine.generate(replace(_request(seconds=100), lane="v1"))
    await anext(talk)
    gone = asyncio.create_task(engine.unload("v1"))
    await asyncio.sleep(0.01)
    with pytest.raises(LaneUnknown):
        await engine.warm((Message("system", "hi"),), "v1")
    assert not gone.done()
    await talk.aclose()
    await gone


async def test_a_finish_names_its_lane(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    await engine.start()
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    await engine.load(Lane("v1", tmp_path / "a.gguf"))
    assert (await _told(engine, replace(_request(), lane="v1")))[1].lane == "v1"
    assert (await _told(engine, _request()))[1].lane == BASE_LANE
