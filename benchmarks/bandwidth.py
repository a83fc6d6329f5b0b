"""How fast this machine reads memory, and so how many tokens a second a model's weights could yield at best.

Every token of one talk reads all weights once. Bytes come in, gigabytes a second go out.
"""

from __future__ import annotations

import ctypes
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_SECONDS = 0.5


def read_gb_s(size: int, threads: int) -> float:
    """The best rate at which so many threads read a block of so many bytes, over and over: from the cache
    where it fits in there, as the weights of such a model would."""
    library = ctypes.CDLL(None)
    library.memchr.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    library.memchr.restype = ctypes.c_void_p
    block = np.full(size, 1, np.uint8)
    part = size // threads
    starts = [block.ctypes.data + number * part for number in range(threads)]
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        ends = time.perf_counter() + _SECONDS
        while time.perf_counter() < ends:
            began = time.perf_counter()
            # Looks for a byte that is not there: nothing but reading, and with the GIL released.
            list(pool.map(lambda start: library.memchr(start, 7, part), starts))
            best = min(best, time.perf_counter() - began)
    return threads * part / best / 1e9
