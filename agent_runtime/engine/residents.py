"""Adapters whose weights are in memory: a path comes in, the engine library's handle goes out.

Fifty personas may have adapters of their own; those used longest ago make room and are loaded again when
they are wanted, which takes milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADAPTER_BYTES = 256 * 2**20


class Residents:
    """Keeps `budget` bytes of adapters, and always the latest one. `load` makes a handle, `free` ends it."""

    def __init__(
        self, load: Callable[[Path], Any], free: Callable[[Any], None], budget: int = ADAPTER_BYTES
    ) -> None:
        self._load, self._free, self._budget = load, free, budget
        self._kept: OrderedDict[Path, tuple[Any, int]] = OrderedDict()

    def get(self, path: Path) -> Any:
        """The handle of an adapter, now the most recently used. Raises what `load` raises."""
        if path not in self._kept:
            self._kept[path] = (self._load(path), path.stat().st_size)
        self._kept.move_to_end(path)
        while len(self._kept) > 1 and sum(size for _, size in self._kept.values()) > self._budget:
            self.drop(next(iter(self._kept)))
        return self._kept[path][0]

    def drop(self, path: Path) -> None:
        """Free an adapter, if it is there."""
        handle, _ = self._kept.pop(path, (None, 0))
        if handle is not None:
            self._free(handle)

    def clear(self) -> None:
        """Free them all."""
        for path in list(self._kept):
            self.drop(path)
