from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.engine.interface import ModelInfo
from agent_runtime.errors import AdapterError, RegistryError, VersionRefused
from agent_runtime.registry.store import Registry
from agent_runtime.serving.served import NO_VERSION, Served, load_version
from tests.support.engine import ScriptedEngine
from tests.support.versions import added


class ElsewhereEngine(ScriptedEngine):
    """One that does not tell which file it serves."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("elsewhere", "", 0, 1000)


async def test_a_version_is_loaded_under_its_id_with_its_scale(tmp_path: Path) -> None:
    registry, engine = Registry(tmp_path / "registry"), ScriptedEngine()
    await engine.start()
    version = added(registry, base="0" * 64, scale=0.5)
    served = await load_version(engine, registry, 1)
    assert version.manifest
    assert (served.version, served.lane, served.adapter) == (1, version.id, version.manifest.adapter)
    lane = engine.lanes[-1]
    assert (lane.key, lane.adapter, lane.scale) == (version.id, version.adapter, 0.5)


async def test_the_bare_base_is_always_there(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    await engine.start()
    assert await load_version(engine, Registry(tmp_path / "registry"), 0) is NO_VERSION
    assert len(engine.lanes) == 1


async def test_another_base_is_refused_where_the_engine_tells_its_own(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry, base="f" * 64)
    engine, elsewhere = ScriptedEngine(), ElsewhereEngine()
    await engine.start()
    await elsewhere.start()
    with pytest.raises(VersionRefused, match="another base"):
        await load_version(engine, registry, 1)
    assert (await load_version(elsewhere, registry, 1)).version == 1


async def test_what_is_not_there_or_does_not_load_says_so(tmp_path: Path) -> None:
    registry, engine = Registry(tmp_path / "registry"), ScriptedEngine()
    await engine.start()
    with pytest.raises(RegistryError, match="no version 7"):
        await load_version(engine, registry, 7)
    added(registry, base="0" * 64)
    served = await load_version(engine, registry, 1)
    await engine.unload(served.lane)
    adapter = registry.get(1).adapter
    assert adapter
    adapter.unlink()
    with pytest.raises((VersionRefused, AdapterError)):
        await load_version(engine, registry, 1)


def test_a_personas_own_adapter_is_on_no_trial() -> None:
    assert NO_VERSION.trial
    assert Served(3, "3-abc", "a" * 64).trial
    assert not Served(0, "own-abc", "a" * 64).trial
