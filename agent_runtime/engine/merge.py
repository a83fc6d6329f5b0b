"""A base and an adapter come in; one GGUF with the adapter added to the base's weights goes out.

An adapter costs a small model a fifth of its speed, a merged copy nothing. The adapter stays what is kept:
whoever serves a copy compares the two (rounding to the base's own type may swallow a weak adapter).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

from agent_runtime.engine.adapterfile import Adapter

_KEPT_TYPES = (Type.F32, Type.F16, Type.BF16, Type.Q8_0)


def write_merged(
    base: Path, adapter: Adapter, scale: float, target: Path, facts: Mapping[str, str] | None = None
) -> None:
    """Write base + scale · adapter. A matrix that the adapter changes keeps its type where that is Q8_0 or
    finer, and becomes Q8_0 otherwise; all others are copied as they are, and so is the header but for
    `facts`, which are put into it. Raises `NotImplementedError` for a type that cannot be read."""
    facts = facts or {}
    reader = gguf.GGUFReader(base)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture" and name not in facts:
            array = field.types[0] == gguf.GGUFValueType.ARRAY
            writer.add_key_value(
                name, field.contents(), field.types[0], sub_type=field.types[-1] if array else None
            )
    for name, text in facts.items():
        writer.add_string(name, text)
    kinds = {tensor.name: _kind(tensor, adapter) for tensor in reader.tensors}
    for tensor in reader.tensors:
        shape, numbers = _form(tensor, kinds[tensor.name])
        size = prod(shape) * numbers.itemsize
        writer.add_tensor_info(tensor.name, shape, numbers, size, raw_dtype=kinds[tensor.name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in reader.tensors:  # one after the other: all together would be a second model in memory
        data = tensor.data
        if tensor.name in adapter.matrices:
            delta = adapter.delta(tensor.name) * np.float32(scale)
            data = quants.quantize(quants.dequantize(data, tensor.tensor_type) + delta, kinds[tensor.name])
        writer.write_tensor_data(data)
    writer.close()


def _kind(tensor: gguf.ReaderTensor, adapter: Adapter) -> Type:
    """The type that a tensor has in the copy."""
    kind = tensor.tensor_type
    if tensor.name not in adapter.matrices or kind in _KEPT_TYPES:
        return kind
    return Type.F16 if tensor.shape[0] % gguf.GGML_QUANT_SIZES[Type.Q8_0][0] else Type.Q8_0


def _form(tensor: gguf.ReaderTensor, kind: Type) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape, rows first, and the numbers of a tensor's bytes as this type."""
    if kind == tensor.tensor_type:
        return tensor.data.shape, tensor.data.dtype
    shape = tuple(int(length) for length in reversed(tensor.shape))
    if kind == Type.F16:
        return shape, np.dtype(np.float16)
    return quants.quant_shape_to_byte_shape(shape, kind), np.dtype(np.uint8)
