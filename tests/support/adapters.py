"""Small LoRA adapters made on the spot: a base GGUF and a seed come in, an adapter's GGUF goes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

ATTENTION = ("attn_q", "attn_k", "attn_v", "attn_output")


def random_adapter(
    path: Path,
    base: Path,
    *,
    seed: int = 1,
    strength: float = 0.5,
    rank: int = 4,
    alpha: float = 8.0,
    architecture: str = "llama",
    kind: str = "lora",
    replaced: Mapping[str, NDArray[np.floating]] | None = None,
) -> Path:
    """Random A and B for the attention matrices; `strength` 0 changes nothing. `replaced` puts other
    values in the place of some tensors, or adds tensors."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, NDArray[np.floating]] = {}
    for tensor in gguf.GGUFReader(base).tensors:
        if not any(f".{name}.weight" in tensor.name for name in ATTENTION):
            continue
        columns, rows = (int(size) for size in tensor.shape)
        a = rng.standard_normal((rank, columns)) / np.sqrt(columns)
        b = rng.standard_normal((rows, rank)) * strength
        tensors[f"{tensor.name}.lora_a"] = a.astype(np.float32)
        tensors[f"{tensor.name}.lora_b"] = b.astype(np.float32)
    tensors.update(replaced or {})
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", kind)
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
