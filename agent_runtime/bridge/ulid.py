"""Identifiers that sort by time (ULID): a clock and randomness come in, 26 characters go out.

https://github.com/ulid/spec: 48 bits of milliseconds and 80 random bits in Crockford's base 32.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80


class UlidMaker:
    """Makes ULIDs that rise strictly, even within a millisecond or when the clock goes back.

    `wall` gives seconds since 1970; `randomness(n)` gives n random bytes. For one thread.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._wall = wall
        self._randomness = randomness
        self._last = -1

    def make(self) -> str:
        milliseconds = int(self._wall() * 1000)
        number = milliseconds << _RANDOM_BITS | int.from_bytes(self._randomness(10), "big")
        if milliseconds <= self._last >> _RANDOM_BITS:
            # Not just +1: who sees one id must not know the next.
            number = self._last + 1 + int.from_bytes(self._randomness(4), "big")
        self._last = number
        return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
