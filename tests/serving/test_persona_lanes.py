"""Personas with adapters of their own, on the embedded base and adapters made on the spot."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from agent_runtime.engine import ggufheader, llama
from agent_runtime.engine.interface import BASE_LANE, Engine, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.models import embedded_model
from agent_runtime.npc.persona import Persona, Sampling
from agent_runtime.npc.prompt import render
from agent_runtime.registry.store import Registry
from agent_runtime.serving.persona_lanes import PersonaLanes, lane_key
from demo.runtime import Runtime
from tests.support.adapters import random_adapter
from tests.support.game import MIRA, Game, chat, hello
from tests.support.replies import reply
from tests.support.town import MIRA as PERSONA
from tests.support.versions import added

GREEDY = Sampling(temperature=0, max_tokens=12)
STRONG = 2.0  # so that an adapter of noise changes what is said
BREN = "01J0000000000000000000BREN"
OLGA = "01J0000000000000000000P1GA"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded_model(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def engine(base: Path) -> AsyncIterator[Engine]:
    engine = LlamaEngine(base, threads=1)
    await engine.start()
    yield engine
    await engine.close()


def persona(adapter: Path | None) -> Persona:
    return msgspec.structs.replace(PERSONA, adapter=adapter, sampling=GREEDY)


async def said(engine: Engine, lane: str) -> str:
    messages = render(PERSONA, [], [], "alice", "hello, who are you?")
    text, finish = await reply(engine, Request(messages, GREEDY, time.monotonic() + 30, lane=lane))
    assert finish.lane == lane
    return text


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_each_persona_speaks_through_its_adapter(engine: Engine, base: Path, tmp_path: Path) -> None:
    one, two = (
        random_adapter(tmp_path / f"{seed}.gguf", base, seed=seed, strength=STRONG) for seed in (1, 2)
    )
    lanes = PersonaLanes(engine)
    assert await lanes.served(persona(None)) is None
    first, second = await lanes.served(persona(one)), await lanes.served(persona(two))
    assert first
    assert second
    assert (first.adapter, second.adapter) == (sha256(one), sha256(two))
    assert len({await said(engine, lane) for lane in (BASE_LANE, first.lane, second.lane)}) == 3
    assert await lanes.served(persona(one)) == first
    assert not first.trial
    assert len(engine.lanes) == 3


async def test_the_same_content_under_two_names_is_one_lane(
    engine: Engine, base: Path, tmp_path: Path
) -> None:
    one = random_adapter(tmp_path / "one.gguf", base)
    two = tmp_path / "two.gguf"
    two.write_bytes(one.read_bytes())
    lanes = PersonaLanes(engine)
    assert await lanes.served(persona(one)) == await lanes.served(persona(two))
    assert [lane.key for lane in engine.lanes] == [BASE_LANE, lane_key(sha256(one))]
    one.unlink()
    assert await lanes.served(persona(one)) is None
    again = await lanes.served(persona(two))
    assert again
    assert await said(engine, again.lane)


async def test_what_cannot_serve_is_refused_with_its_reason_and_looked_at_again_when_it_changed(
    engine: Engine, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mira.gguf"
    lanes = PersonaLanes(engine)
    assert await lanes.served(persona(path)) is None
    path.write_bytes(b"GGUF and nothing else")
    for _ in range(3):
        assert await lanes.served(persona(path)) is None
    told = capsys.readouterr().out
    assert told.count("adapter_refused") == 2, "once for the missing file and once for the broken one"
    assert "No such file" in told
    random_adapter(path, base, seed=1, strength=STRONG)
    first = await lanes.served(persona(path))
    assert first
    before = await said(engine, first.lane)
    random_adapter(path, base, seed=2, strength=STRONG)
    os.utime(path, ns=(0, 0))
    second = await lanes.served(persona(path))
    assert second
    assert second.adapter == sha256(path) != first.adapter
    assert await said(engine, second.lane) != before
    assert [lane.key for lane in engine.lanes] == [BASE_LANE, second.lane]


async def test_a_lane_that_an_engine_came_back_without_is_taken_up_anew(
    engine: Engine, base: Path, tmp_path: Path
) -> None:
    path = random_adapter(tmp_path / "mira.gguf", base)
    lanes = PersonaLanes(engine)
    first = await lanes.served(persona(path))
    assert first
    await engine.unload(first.lane)
    again = await lanes.served(persona(path))
    assert again == first
    assert await said(engine, again.lane)
    await engine.unload(first.lane)
    path.unlink()
    assert await lanes.served(persona(path)) is None, "the champion answers"


def fifty_adapters(folder: Path, base: Path) -> list[Path]:
    """Adapters of 1.3 MB; each is the first one with other numbers in it, which is quicker than making it.
    The first is mild, so that no close draw decides what it says; the others are wild."""
    first = random_adapter(folder / "0.gguf", base, rank=32, alpha=64, strength=0.02)
    header = ggufheader.read(first)
    made = [first]
    for seed in range(1, 50):
        rng = np.random.default_rng(seed)
        path = Path(shutil.copyfile(first, folder / f"{seed}.gguf"))
        for name, tensor in header.tensors.items():
            if name.endswith(".lora_b"):
                half = np.memmap(path, np.float32, "r+", tensor.offset, tensor.shape[::-1])
                half[:] = rng.standard_normal(half.shape) * 0.5
        made.append(path)
    return made


async def test_fifty_personas_share_the_memory_that_adapters_may_take(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapters = fifty_adapters(tmp_path, base)
    size = adapters[0].stat().st_size
    monkeypatch.setattr(llama, "ADAPTER_BYTES", 4 * size)
    engine = LlamaEngine(base, threads=1, slots=2, cache_mb=1)
    await engine.start()
    try:
        lanes = PersonaLanes(engine)
        first = await lanes.served(persona(adapters[0]))
        assert first
        own = await said(engine, first.lane)
        before = psutil.Process().memory_info().rss
        spoken = set()
        for path in adapters:
            served = await lanes.served(persona(path))
            assert served
            assert served.adapter == sha256(path)
            spoken.add(await said(engine, served.lane))
        assert len(spoken) > 25, "they speak in voices of their own"
        assert await said(engine, first.lane) == own, "one that was put away comes back as it was"
        grown = psutil.Process().memory_info().rss - before
        assert grown < 40 * size, f"{grown / size:.0f} adapters are in memory"
    finally:
        await engine.close()


SHORT = 'role = "the baker"\nvoice = "warm"\nabout = "Bakes."\n[sampling]\nmax_tokens = 12\n'


async def test_the_journal_names_the_adapter_that_served(base: Path, tmp_path: Path) -> None:
    home = tmp_path / "served"
    (home / "personas").mkdir(parents=True)
    own = random_adapter(home / "personas" / "mira.gguf", base, seed=1, strength=0.02)
    version = random_adapter(tmp_path / "version.gguf", base, seed=2, strength=0.02)
    for name, adapter in (("mira", "mira.gguf"), ("bren", "lost.gguf"), ("olga", "")):
        line = f'adapter = "{adapter}"\n' if adapter else ""
        (home / "personas" / f"{name}.toml").write_text(f'name = "{name}"\n{line}{SHORT}')
    registry = Registry(home / "registry")
    added(registry, version, base=sha256(base))
    registry.promote(1, expected=0, who="ann", why="better")
    settings = {"TOWNSFOLK_MODEL__PATH": str(base), "TOWNSFOLK_MODEL__THREADS": "1"}
    runtime = Runtime(home, settings=settings)
    town = [
        {"npc": npc, "name": name, "persona": name, "pos": {"x": 0, "y": 8, "z": 0}}
        for npc, name in ((MIRA, "mira"), (BREN, "bren"), (OLGA, "olga"))
    ]
    async with runtime:
        async with Game(runtime.port, token=runtime.token, greeting=hello(npcs=town)) as game:
            for npc in (MIRA, BREN, OLGA):
                await game.send(chat("hello", npc=npc))
                while (message := await game.receive())["type"] != "reply_done":
                    pass
                assert message["source"] == "model"
        rows = {}
        for turn in await runtime.rows("turns"):
            row = json.loads(await runtime.run("journal", "show", turn["id"], "--json"))
            rows[row["persona"]] = (row["version"], row["adapter"])
    champion = (1, sha256(version))
    assert rows == {"mira": (0, sha256(own)), "bren": champion, "olga": champion}
    assert "adapter_refused" in runtime.process.text()
