"""A base and an adapter come in; one GGUF with the adapter added to the base's weights goes out.

An adapter costs a small model a fifth of its speed, a merged copy nothing. The adapter stays what is kept:
whoever serves a copy compares the two (rounding to the base's own type may swallow a weak adapter).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants
from numpy.typing import NDArray

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
    deltas = dict(adapter.deltas())
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        if tensor.name in deltas:
            kind = _kept(kind, data.shape[-1])
            data = _added(tensor, deltas[tensor.name] * np.float32(scale), kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _kept(kind: Type, columns: int) -> Type:
    if kind in _KEPT_TYPES:
        return kind
    return Type.F16 if columns % gguf.GGML_QUANT_SIZES[Type.Q8_0][0] else Type.Q8_0


def _added(tensor: gguf.ReaderTensor, delta: NDArray[np.float32], kind: Type) -> NDArray[np.generic]:
    weights = quants.dequantize(tensor.data, tensor.tensor_type) + delta
    merged: NDArray[np.generic] = quants.quantize(weights, kind)
    return merged
