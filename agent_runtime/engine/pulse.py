"""A sign of life from within a long batch: the library's callback comes in, `beat` is called now and then.

The library asks after every operation whether to go on. That takes a microsecond or two and answers what
silence leaves open: a long prompt on a slow machine goes from one operation to the next, a hang does not.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BEAT_SECONDS = 0.25
LONG = 32
"""Batches of more tokens than this may take long; asking in the others would cost a talk its speed."""

_Asked = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)


class Pulse:
    """`asked` is what the library calls. Nothing is called before `listen`."""

    def __init__(self) -> None:
        self._beat: Callable[[], None] | None = None
        self._last = 0.0
        self._patient = False
        self._asked = _Asked(self._go_on)
        self._never = _Asked()

    def listen(self, beat: Callable[[], None]) -> None:
        """Call `beat` from now on, on the thread that computes, at most every `BEAT_SECONDS`."""
        self._beat = beat

    @contextmanager
    def for_all(self) -> Iterator[None]:
        """Inside, beat in short batches, too: many of them are computed without a word in between."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def asked(self, tokens: int) -> object:
        """The callback for a batch of so many tokens; a NULL pointer where none is worth its time."""
        return self._asked if self._beat and (self._patient or tokens > LONG) else self._never

    def _go_on(self, _: object) -> bool:
        """Never a reason to break off."""
        now = time.monotonic()
        if self._beat and now - self._last >= BEAT_SECONDS:
            self._last = now
            self._beat()
        return False
