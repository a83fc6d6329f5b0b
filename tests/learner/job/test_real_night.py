"""A whole night without a stand-in, on a tiny base: from a journal to a reply of its version."""

from __future__ import annotations

import asyncio
import dataclasses
from math import inf
from pathlib import Path

import gguf
import msgspec
import pytest
import torch
from rich.console import Console

from agent_runtime.engine import ggufheader
from agent_runtime.engine.interface import Chunk, Lane, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from agent_runtime.registry.store import Registry
from agent_runtime.registry.versions import Version
from exporters.gguf import export_base
from learner.evaluate.settings import EvaluationSettings
from learner.gate.report import verify
from learner.job import judge
from learner.job.judge import Evaluated
from learner.job.run import WORK, run
from learner.job.work import Night
from learner.train.profiles import FOLDER
from tests.support import nights
from tests.support.tiny_bases import tiny_base

FEW = EvaluationSettings(
    cases_per_slice=1, whole=(), seeds=(0,), scales=(1.0,), prompts=3, golden_texts=3, timed=3, judgements=30
)
SETTINGS = """[model]
path = "served.gguf"
[learn]
at = ""
base = "base"
profile = "tiny.toml"
passed = "keep"
retrain_without = false
"""


def briefly(night: Night) -> Evaluated:
    """The real evaluation, with few questions: a base of noise talks on and on."""
    return judge.evaluate(
        dataclasses.replace(night, plan=msgspec.structs.replace(night.plan, evaluation=FEW))
    )


def test_a_whole_night_ends_with_a_version_that_speaks(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", max_position_embeddings=2048)
    profile = (FOLDER / "embedded.toml").read_text().replace("steps = 500", "steps = 12")
    a_night(tmp_path, base, profile.replace("most = 60", "most = 4"), steps=12)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_night_of_gpt_oss_ends_with_a_version_that_speaks(tmp_path: Path) -> None:
    """The shipped profile on a base of the real one's depth: NF4, LoRA on the last five layers' attention. So
    few steps need a faster rate, and so many random layers small weights: larger ones make roundings grow."""
    sizes = {"num_hidden_layers": 24, "max_position_embeddings": 2048, "initializer_range": 0.05}
    base = tiny_base(tmp_path / "base", "gpt_oss", **sizes)
    profile = (FOLDER / "gpt-oss-20b.toml").read_text().replace("context = 2048", "context = 2048\nsteps = 4")
    profile = profile.replace("share = 1.0", "share = 1.0\nmost = 2").replace("5e-5", "5e-3")
    version = a_night(tmp_path, base, profile, steps=4)
    assert version.adapter
    tensors = {tensor.name.split(".")[1] for tensor in gguf.GGUFReader(version.adapter).tensors}
    assert tensors == {"19", "20", "21", "22", "23"}


def a_night(home: Path, base: Path, profile: str, steps: int) -> Version:
    """Trained, exported, judged and registered; its verdict holds, and it has something to say."""
    served = export_base(base, home / "served.gguf", "f16", name="Tiny")
    torch.set_num_threads(1)
    (home / "tiny.toml").write_text(profile)
    settings = nights.home(home, settings=SETTINGS)
    outcome = run(settings, "a test", console=Console(quiet=True), stages={**WORK, "evaluate": briefly})
    assert outcome.ended in ("kept", "refused"), outcome.summary
    version = Registry(settings.registry_path).get(outcome.version or 0)
    assert version.folder
    assert version.manifest
    assert version.manifest.training["steps"] == steps
    assert outcome.summary.startswith(verify(version.folder, version.manifest).summary)
    assert version.adapter
    assert ggufheader.read(version.adapter).values["general.name"] == "Tiny LoRA"
    assert asyncio.run(reply(served, version))
    return version


async def reply(served: Path, version: Version) -> str:
    """What it says to a greeting, in the serving engine."""
    assert version.adapter
    assert version.manifest
    engine = LlamaEngine(served, threads=1, slots=2)
    await engine.start()
    try:
        await engine.load(Lane("new", version.adapter, version.manifest.scale))
        prompt = (Message("system", "You are Mira."), Message("user", "ann: hello"))
        asked = Request(prompt, Sampling(temperature=0.0, max_tokens=12), deadline=inf, lane="new")
        return "".join([event.text async for event in engine.generate(asked) if isinstance(event, Chunk)])
    finally:
        await engine.close()
