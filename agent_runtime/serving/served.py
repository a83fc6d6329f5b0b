"""A version of the registry comes in; once it is checked and loaded, the engine's lane for it goes out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent_runtime.engine.interface import BASE_LANE, Engine, Lane
from agent_runtime.errors import VersionRefused
from agent_runtime.registry.audit import BARE
from agent_runtime.registry.store import Registry


@dataclass(frozen=True, slots=True)
class Served:
    """What takes a turn: the version's number, the engine's lane, and the adapter's sha256 (None: bare). An
    adapter that a persona brings belongs to no version: its number is that of the bare base."""

    version: int
    lane: str
    adapter: str | None

    @property
    def trial(self) -> bool:
        """Whether what players say of it tells anything about a version."""
        return is_trial(self.version, self.adapter)


def is_trial(version: int, adapter: str | None) -> bool:
    """Whether a turn of this version and adapter was taken by the version: not by a persona's own adapter."""
    return version != BARE or adapter is None


NO_VERSION = Served(BARE, BASE_LANE, None)
"""What took a turn that no model took, and all turns of the bare base."""


async def load_version(engine: Engine, registry: Registry, number: int, merged: bool = False) -> Served:
    """Check every byte of a version and load it beside those that serve, as a `merged` copy if it is to be
    fast from its first reply on. Raises `RegistryError` or `EngineError` with the reason why it cannot
    serve."""
    version = await asyncio.to_thread(registry.get, number)
    manifest = version.manifest
    if not manifest:
        return NO_VERSION
    await asyncio.to_thread(registry.verify, version)
    base = engine.info.digest
    # An engine elsewhere does not tell which file it serves.
    if base not in ("", manifest.base):
        raise VersionRefused(
            f"version {number} was trained for another base model ({manifest.base[:12]}…) than the one that "
            f"serves ({base[:12]}…): choose that model, or train anew"
        )
    await engine.load(Lane(version.id, version.adapter, manifest.scale, merged))
    return Served(number, version.id, manifest.adapter)
