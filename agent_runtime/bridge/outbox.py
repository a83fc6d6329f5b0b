"""Frames on their way to one game server: bounded by number and bytes. Never blocks who puts, never sends."""

from __future__ import annotations

import asyncio
from collections import deque

MAX_FRAMES = 2000
MAX_BYTES = 8 * 2**20


class Outbox:
    """A queue for one event loop: any task puts, one task takes."""

    def __init__(self, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[bytes | str] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._finished = False
        self.overflowed = False
        """True once a frame had to be refused: the peer does not read, its connection is to be dropped."""

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes | str) -> bool:
        """Queue a frame; False when it was refused, and all later ones are too: a gap would be worse."""
        if len(self._frames) >= self._max_frames or self._bytes + len(frame) > self._max_bytes:
            self.overflowed = True
        if not self.overflowed:
            self._frames.append(frame)
            self._bytes += len(frame)
        self._changed.set()
        return not self.overflowed

    def finish(self) -> None:
        """Nothing more will be put: `take` gives what is left, then None."""
        self._finished = True
        self._changed.set()

    async def take(self) -> bytes | str | None:
        """The oldest frame, as soon as there is one; None at the end and after an overflow."""
        while not (self._frames or self._finished or self.overflowed):
            self._changed.clear()
            await self._changed.wait()
        if self.overflowed or not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame
