"""A GGUF file's header: a path comes in, what it says goes out, or `ModelFileError` with the reason.

Every length is bounded by the file's size before anything is read, so a hostile file costs neither memory
nor time. Whether the file is a fit model or adapter is for others to say.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

from agent_runtime.errors import ModelFileError

_VERSIONS = (2, 3)
_MAX_ENTRIES = 100_000
_MAX_KEY = 65_535
_MAX_TENSOR_NAME = 64
_MAX_TENSOR_VALUES = 2**40

# Metadata types by number: the struct code of each scalar.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
FLOAT32 = 6
_TOKENS = "tokenizer.ggml.tokens"
_BYTES = tuple((f"<0x{byte:02X}>".encode(), bytes([byte])) for byte in range(256))
"""How a vocabulary names the tokens for single bytes: either way."""

# Tensor types by number: values per block, bytes per block (ggml.h, `gguf.GGML_QUANT_SIZES`).
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110)},
    **{22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8)},
    **{29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18)},
}

Scalar = int | float | str


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where one tensor's bytes lie, counted from the start of the file. `kind` is its type's number."""

    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF says about itself. Of arrays only the length is kept, and of the vocabulary whether it can
    spell any byte; `kinds` are the numbers of the values' types."""

    values: dict[str, Scalar]
    kinds: dict[str, int]
    lengths: dict[str, int]
    spells_bytes: bool
    tensors: dict[str, Tensor]


def read(path: Path) -> Header:
    """Read the header of a GGUF file. Raises `ModelFileError`."""
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelFileError(f"{path}: not a GGUF file; give the path of a model in GGUF format")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data).header()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (_Broken, struct.error) as error:
        raise ModelFileError(f"{path}: broken GGUF file: {error}; fetch it again") from error


class _Broken(Exception):
    pass


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4
        self._spells_bytes = False

    def header(self) -> Header:
        version = self._number("I")
        if version not in _VERSIONS:
            raise _Broken(f"version {version} is unknown")
        tensor_count, entry_count = self._number("Q"), self._number("Q")
        if max(tensor_count, entry_count) > _MAX_ENTRIES:
            raise _Broken(f"{tensor_count} tensors and {entry_count} entries cannot be right")
        values: dict[str, Scalar] = {}
        kinds: dict[str, int] = {}
        lengths: dict[str, int] = {}
        for _ in range(entry_count):
            key = self._text(_MAX_KEY)
            if key in values or key in lengths:
                raise _Broken(f"{key} is there twice")
            kind = kinds[key] = self._number("I")
            if kind == _ARRAY:
                lengths[key] = self._array(vocabulary=key == _TOKENS)
            elif kind == _STRING:
                values[key] = self._text()
            elif kind in _SCALARS:
                values[key] = self._scalar(_SCALARS[kind])
            else:
                raise _Broken(f"{key} has the unknown type {kind}")
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise _Broken(f"alignment {alignment} is no power of two")
        tensors = self._tensors(tensor_count, alignment)
        start = -(-self._at // alignment) * alignment
        end = max((tensor.offset + tensor.size for tensor in tensors.values()), default=0)
        if start + end > len(self._data):
            raise _Broken(f"the file ends {start + end - len(self._data)} bytes early")
        placed = {name: replace(tensor, offset=start + tensor.offset) for name, tensor in tensors.items()}
        return Header(values, kinds, lengths, self._spells_bytes, placed)

    def _tensors(self, count: int, alignment: int) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        expected = 0
        for _ in range(count):
            name = self._text(_MAX_TENSOR_NAME)
            dimensions = self._number("I")
            if name in tensors or not 1 <= dimensions <= 4:
                raise _Broken(f"tensor {name!r} is there twice or has {dimensions} dimensions")
            shape = tuple(self._number("Q") for _ in range(dimensions))
            kind, offset = self._number("I"), self._number("Q")
            if kind not in _BLOCKS:
                raise _Broken(f"tensor {name!r} has the unknown type {kind}")
            values, size = _BLOCKS[kind]
            if 0 in shape or prod(shape) > _MAX_TENSOR_VALUES or shape[0] % values:
                raise _Broken(f"tensor {name!r} has the impossible shape {shape}")
            if offset != expected:
                raise _Broken(f"tensor {name!r} does not lie where it should")
            tensors[name] = Tensor(shape, kind, offset, prod(shape) // values * size)
            expected = -(-(offset + tensors[name].size) // alignment) * alignment
        return tensors

    def _array(self, vocabulary: bool) -> int:
        """Pass over an array. Returns its length."""
        kind, count = self._number("I"), self._number("Q")
        if kind == _STRING and vocabulary:
            # The library aborts on a token that is there twice. It reads up to a NUL and renames empty ones.
            words = [self._bytes().split(b"\0")[0] for _ in range(count)]
            known = {*words} - {b""}
            if len(known) < count - words.count(b""):
                raise _Broken("a token is there twice")
            self._spells_bytes = all(named in known or byte in known for named, byte in _BYTES)
        elif kind == _STRING:
            for _ in range(count):
                self._skip(self._number("Q"))
        elif kind in _SCALARS:
            self._skip(count * struct.calcsize("<" + _SCALARS[kind]))
        else:
            raise _Broken(f"an array of the unknown type {kind}")
        return count

    def _number(self, code: str) -> int:
        return int(self._scalar(code))

    def _scalar(self, code: str) -> int | float:
        start = self._at
        self._skip(struct.calcsize("<" + code))
        value: int | float = struct.unpack_from("<" + code, self._data, start)[0]
        return value

    def _text(self, limit: int | None = None) -> str:
        length = self._number("Q")
        if limit is not None and length > limit:
            raise _Broken(f"a name of {length} bytes cannot be right")
        return self._bytes(length).decode("utf-8", "replace")

    def _bytes(self, length: int | None = None) -> bytes:
        length = self._number("Q") if length is None else length
        start = self._at
        self._skip(length)
        return self._data[start : self._at]

    def _skip(self, count: int) -> None:
        if count > len(self._data) - self._at:
            raise _Broken("it ends in the middle of the header")
        self._at += count
