"""The benchmark's models: the embedded base never ends a reply by itself, and says what it said before."""

from __future__ import annotations

import time
from pathlib import Path

import gguf
import pytest

from agent_runtime.config import share_dir
from agent_runtime.engine.interface import Chunk, Finish, Lane, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import render
from benchmarks import models
from exporters.gguf import export_base
from tests.support.town import MIRA


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


async def said(path: Path, tokens: int, *lanes: Lane) -> list[tuple[str, Finish]]:
    engine = LlamaEngine(path, threads=1, slots=2)
    await engine.start()
    told = []
    try:
        for lane in lanes:
            await engine.load(lane)
        for key in ("", *(lane.key for lane in lanes)):
            messages = render(MIRA, [], [], "alice", "hello")
            request = Request(
                messages, Sampling(temperature=0, max_tokens=tokens), time.monotonic() + 30, lane=key
            )
            text = ""
            async for event in engine.generate(request):
                if isinstance(event, Chunk):
                    text += event.text
                else:
                    told.append((text, event))
    finally:
        await engine.close()
    return told


async def test_the_embedded_base_says_the_same_and_then_goes_on(folder: Path) -> None:
    base = export_base(share_dir() / "data" / "base", folder / "plain.gguf")
    ((plain, ended),) = await said(base, 200)
    ((text, finish),) = await said(models.embedded(folder), 200)
    assert ended.reason == "stop"
    assert plain
    assert (finish.reason, finish.completion_tokens) == ("length", 200)
    assert text.startswith(plain)
    before, after = gguf.GGUFReader(base).tensors, gguf.GGUFReader(models.embedded(folder)).tensors
    assert [(tensor.name, bytes(tensor.data)) for tensor in before] == [
        (tensor.name, bytes(tensor.data)) for tensor in after
    ]


async def test_its_adapter_is_one_that_the_engine_takes(folder: Path) -> None:
    base = models.embedded(folder)
    plain, adapted = await said(base, 60, Lane("v1", models.adapter(base, 1, folder)))
    assert adapted[1].lane == "v1"
    assert adapted[0] != plain[0]


def test_models_are_made_once(folder: Path) -> None:
    path = models.embedded(folder)
    made = path.stat().st_mtime_ns
    assert models.embedded(folder).stat().st_mtime_ns == made
    assert not list(folder.glob("*.part"))
