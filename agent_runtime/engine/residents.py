"""Adapters whose weights are in memory: a path comes in, the engine library's handle goes out.

Fifty personas may have adapters of their own; those used longest ago make room and are loaded again when
they are wanted, which takes milliseconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_runtime.errors import AdapterError

ADAPTER_BYTES = 256 * 2**20


class Residents:
    """Keeps `budget` bytes of adapters, and always the latest one. `load` makes a handle, `free` ends it."""

    def __init__(
        self, load: Callable[[Path], Any], free: Callable[[Any], None], budget: int = ADAPTER_BYTES
    ) -> None:
        self._load, self._free, self._budget = load, free, budget
        self._kept: OrderedDict[Path, Any] = OrderedDict()
        self._files: dict[Path, tuple[int, int]] = {}

    def get(self, path: Path) -> Any:
        """The handle of an adapter, now the most recently used. Raises what `load` raises, and `AdapterError`
        when the file is no longer what it was at first, for nobody has checked that one."""
        if path not in self._kept:
            file = _file(path)
            if self._files.get(path, file) != file:
                raise AdapterError(f"{path}: it was changed while it served; the old one is gone")
            self._kept[path] = self._load(path)
            self._files[path] = file
        self._kept.move_to_end(path)
        while len(self._kept) > 1 and sum(self._files[kept][0] for kept in self._kept) > self._budget:
            self._evict(next(iter(self._kept)))
        return self._kept[path]

    def drop(self, path: Path) -> None:
        """Free an adapter, if it is there; whatever file is there the next time is a new one."""
        self._files.pop(path, None)
        self._evict(path)

    def clear(self) -> None:
        """Free them all."""
        for path in list(self._kept):
            self.drop(path)

    def _evict(self, path: Path) -> None:
        handle = self._kept.pop(path, None)
        if handle is not None:
            self._free(handle)


def _file(path: Path) -> tuple[int, int]:
    """Bytes, and when it was changed. Raises `AdapterError`."""
    try:
        status = path.stat()
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {error.strerror or error}") from error
    return status.st_size, status.st_mtime_ns
