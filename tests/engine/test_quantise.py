"""Rounding a model: the file is smaller, and the engine serves it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_runtime.engine.interface import Request
from agent_runtime.engine.quantise import KINDS, quantise
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import ModelFileError
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.models import random_model
from tests.support.replies import reply


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rounded_model_is_smaller_and_speaks(kind: str, tmp_path: Path) -> None:
    whole = random_model(tmp_path / "whole.gguf", width=256)
    rounded = tmp_path / "rounded.gguf"
    quantise(whole, rounded, kind)
    assert rounded.stat().st_size < 0.7 * whole.stat().st_size
    engine = LlamaEngine(rounded, threads=1)
    await engine.start()
    try:
        asked = Request(
            (Message("user", "hello"),), Sampling(temperature=0, max_tokens=8), time.monotonic() + 30
        )
        assert (await reply(engine, asked))[0]
    finally:
        await engine.close()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    whole = random_model(tmp_path / "whole.gguf")
    with pytest.raises(ModelFileError, match="cannot be rounded to q8_0"):
        quantise(whole, tmp_path / "missing" / "rounded.gguf", "q8_0")
