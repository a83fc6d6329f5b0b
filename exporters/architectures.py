"""What differs between model families: Hugging Face's settings and tensors come in, llama.cpp's go out.

Weights and adapters pass through the same functions, so that an adapter always fits its base.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from agent_runtime.errors import ModelFileError

Config = Mapping[str, Any]
Array = NDArray[Any]

_ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gpt_oss": gguf.MODEL_ARCH.GPT_OSS,
}


def read_config(base: Path) -> dict[str, Any]:
    """A base's `config.json`. Raises `ModelFileError`."""
    return read_json(base / "config.json")


def read_json(path: Path) -> dict[str, Any]:
    """A file of a base's folder that holds one JSON object. Raises `ModelFileError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path}: {error}; restore data/base or run `make base`") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: holds no JSON object; restore data/base or run `make base`")
    return content


def architecture_of(config: Config) -> gguf.MODEL_ARCH:
    """llama.cpp's architecture. Raises `ValueError` for a family that is not exported."""
    found = _ARCHITECTURES.get(config["model_type"])
    if found is None:
        raise ValueError(f"model_type {config['model_type']!r}; known are {', '.join(_ARCHITECTURES)}")
    return found


def add_settings(writer: gguf.GGUFWriter, config: Config) -> None:
    """The sizes and constants of the model."""
    family = config["model_type"]
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    rope = {**config, **(config.get("rope_parameters") or {})}
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if family != "llama":
        writer.add_key_length(size)
        writer.add_value_length(size)
    if family == "gpt_oss":
        writer.add_sliding_window(config["sliding_window"])
        writer.add_expert_count(config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["intermediate_size"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])


def served_name(name: str, config: Config) -> str | None:
    """llama.cpp's name of a tensor; `None` when no model of this family has it."""
    names = _names(architecture_of(config), config["num_hidden_layers"])
    return names.get_name(name, try_suffixes=(".weight", ".bias"))


@cache
def _names(architecture: gguf.MODEL_ARCH, layers: int) -> gguf.TensorNameMap:
    return gguf.get_tensor_name_map(architecture, layers)


def served_rows(name: str, values: Array, config: Config) -> Array:
    """A weight of q or k, or an adapter's B for it, with its rows in the order that llama.cpp wants."""
    if config["model_type"] != "llama" or not name.endswith(("q_proj.weight", "k_proj.weight")):
        return values
    heads = "num_attention_heads" if ".q_proj." in name else "num_key_value_heads"
    return permute(values, config[heads])


def served_tensors(tensors: Mapping[str, Array], config: Config) -> Iterator[tuple[str, Array]]:
    """llama.cpp's name and values, one by one, in the order of the names. Raises `ValueError` for a
    tensor that no model of this family has."""
    for source in sorted(tensors):
        for name, values in _parts(source, np.asarray(tensors[source], dtype=np.float32)):
            target = served_name(name, config)
            if target is None:
                raise ValueError(f"unknown tensor {source!r}")
            yield target, served_rows(name, values, config)


def _parts(name: str, values: Array) -> list[tuple[str, Array]]:
    """gpt-oss keeps gate and up of all experts in one tensor, column by column in turn, inputs first."""
    if name.endswith(".sinks"):
        return [(f"{name}.weight", values)]
    if ".mlp.experts." not in name:
        return [(name, values)]
    bias = name.endswith("_bias")
    stem, kind = name.removesuffix("_bias"), "bias" if bias else "weight"
    if stem.endswith("gate_up_proj"):
        halves = (("gate_proj", values[..., 0::2]), ("up_proj", values[..., 1::2]))
        found = [(stem.replace("gate_up_proj", half), part) for half, part in halves]
    else:
        found = [(stem, values)]
    turned = [(f"{each}.{kind}", part if bias else part.swapaxes(1, 2)) for each, part in found]
    return [(each, np.ascontiguousarray(part)) for each, part in turned]


def permute(weights: Array, heads: int) -> Array:
    """Reorder the rows of q or k from Hugging Face's halves to llama.cpp's neighbouring pairs."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
