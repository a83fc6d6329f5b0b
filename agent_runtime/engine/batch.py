"""The arrays of one batch: rows of tokens come in, pointers for the engine library go out.

Filled by slices and allocated once; the library reads them in place.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from agent_runtime.engine.backend import Row


class Batch:
    """Room for `capacity` tokens. `fields` names the arrays as `llama_batch` does; `tokens` is how many
    there are now."""

    def __init__(self, capacity: int) -> None:
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        self._count = np.ones(capacity, np.int32)
        self._sequence = np.zeros(capacity, np.int32)
        self._output = np.zeros(capacity, np.int8)
        number = ctypes.POINTER(ctypes.c_int32)
        first = self._sequence.ctypes.data
        self._sequences = (number * capacity)(
            *(ctypes.cast(first + 4 * index, number) for index in range(capacity))
        )
        self.tokens = 0
        self.fields = {
            "token": self._token.ctypes.data_as(number),
            "pos": self._pos.ctypes.data_as(number),
            "n_seq_id": self._count.ctypes.data_as(number),
            "seq_id": self._sequences,
            "logits": self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        }

    def fill(self, rows: Sequence[Row]) -> list[int]:
        """Put the rows in. Returns where each one's logits will lie, or −1 where none are wanted."""
        places: list[int] = []
        end = 0
        for row in rows:
            start, end = end, end + len(row.tokens)
            self._token[start:end] = row.tokens
            self._pos[start:end] = range(row.position, row.position + len(row.tokens))
            self._sequence[start:end] = row.sequence
            self._output[start:end] = 0
            self._output[end - 1] = row.wanted
            places.append(end - 1 if row.wanted else -1)
        self.tokens = end
        return places
