"""A version merged into the model: one file that says what the two of them say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_runtime.engine import modelfile
from agent_runtime.engine.interface import BASE_LANE, Lane, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import AdapterError, ExportError, ModelFileError
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from exporters.merged import export_merged
from tests.support.adapters import random_adapter
from tests.support.models import quantized, random_model
from tests.support.replies import reply

GREEDY = Sampling(temperature=0, max_tokens=16)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return random_model(tmp_path / "base.gguf")


async def test_it_answers_as_the_model_with_the_adapter_does(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    merged = export_merged(base, adapter, tmp_path / "merged.gguf", version="3", scale=0.5)
    replies = []
    for path, lane in ((base, Lane("new", adapter, 0.5)), (merged, None)):
        engine = LlamaEngine(path, threads=1)
        await engine.start()
        try:
            if lane:
                await engine.load(lane)
            key = lane.key if lane else BASE_LANE
            asked = Request((Message("user", "hello"),), GREEDY, time.monotonic() + 30, lane=key)
            replies.append((await reply(engine, asked))[0])
        finally:
            await engine.close()
    assert replies[0] == replies[1] != ""


def test_it_says_what_it_was_made_of(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    merged = export_merged(base, adapter, tmp_path / "merged.gguf", version="3")
    values = modelfile.read_header(merged).values
    assert str(values["general.name"]).endswith(", version 3 merged")
    assert values["general.version"] == "3"
    assert values["townsfolk.base.sha256"] == modelfile.digest(base)
    assert values["townsfolk.adapter.sha256"] == modelfile.digest(adapter)


def test_a_file_that_is_there_stays(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    with pytest.raises(ExportError, match="is there already"):
        export_merged(base, adapter, base, version="1")


def test_it_is_rounded_where_that_is_asked_for(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    whole = export_merged(base, adapter, tmp_path / "whole.gguf", version="3")
    small = export_merged(base, adapter, tmp_path / "small.gguf", version="3", kind="q8_0")
    assert small.stat().st_size < 0.7 * whole.stat().st_size
    assert modelfile.read_header(small).values["general.version"] == "3"
    assert [path.name for path in tmp_path.glob("*small*")] == ["small.gguf"]


def test_a_kind_that_there_is_not_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    with pytest.raises(ExportError, match="'q4' is none of q8_0"):
        export_merged(base, adapter, tmp_path / "small.gguf", version="3", kind="q4")


def test_what_is_rounded_already_is_not_rounded_again(base: Path, tmp_path: Path) -> None:
    rounded = quantized(base, tmp_path / "rounded.gguf")
    adapter = random_adapter(tmp_path / "a.gguf", rounded)
    with pytest.raises(ModelFileError, match="cannot be rounded to q4_k_m"):
        export_merged(rounded, adapter, tmp_path / "small.gguf", version="3", kind="q4_k_m")
    assert not list(tmp_path.glob("small*"))


def test_an_adapter_of_another_model_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base, architecture="qwen3")
    with pytest.raises(AdapterError, match="architecture"):
        export_merged(base, adapter, tmp_path / "merged.gguf", version="1")
    assert not list(tmp_path.glob("merged*"))


def test_a_folder_that_cannot_be_written_is_named(base: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written"):
        export_merged(base, adapter, tmp_path / "file" / "merged.gguf", version="1")
