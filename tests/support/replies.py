"""A whole reply of an engine, as its text and its figures."""

from __future__ import annotations

from agent_runtime.engine.interface import Engine, Finish, Request


async def reply(engine: Engine, asked: Request) -> tuple[str, Finish]:
    text = ""
    async for event in engine.generate(asked):
        if isinstance(event, Finish):
            return text, event
        text += event.text
    raise AssertionError("a reply ended without a finish")
