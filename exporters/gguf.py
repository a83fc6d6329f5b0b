"""A base model's folder (`config.json`, `tokenizer.json`, `tokenizer_config.json`, `model.safetensors`)
comes in; one GGUF file for llama.cpp goes out. Needs numpy and `gguf`, never torch.

The same folder and quantisation give the same bytes. A broken folder raises `ModelFileError`, and the
destination is either the whole new file or what it was before.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from agent_runtime.errors import ModelFileError

Quantization = Literal["f16", "q8_0"]
Progress = Callable[[int, int], None]

SOURCE_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
PRE_TOKENIZER = "smollm"  # digits one by one, then GPT-2's pattern: what learner.base.tokenize trains
NAME = "Townsfolk Base"
VERSION = "1"
LICENSE = "Apache-2.0"

_FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
_TENSOR_TYPES = {"f16": gguf.GGMLQuantizationType.F16, "q8_0": gguf.GGMLQuantizationType.Q8_0}


def base_digest(source: Path) -> str:
    """Identifies a base by its files (sha256, 64 hex digits). Raises `ModelFileError` when one is missing."""
    digest = hashlib.sha256()
    weights = sorted(path.name for path in source.glob("*.safetensors")) or SOURCE_FILES[3:]
    for name in (*SOURCE_FILES[:3], *weights):
        try:
            with (source / name).open("rb") as file:
                digest.update(f"{name}:{os.fstat(file.fileno()).st_size}:".encode())
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelFileError(
                f"{source / name}: {error.strerror}; restore data/base or run `make base`"
            ) from error
    return digest.hexdigest()


def export_base(
    source: Path, destination: Path, quantization: Quantization = "q8_0", progress: Progress | None = None
) -> Path:
    """Write the GGUF of a Llama-family folder and return its path.

    `progress` is called with (tensors done, tensors in all). Norms stay in f32 in every quantisation.
    """
    config, tokenizer, tokenizer_config = (_json(source / name) for name in SOURCE_FILES[:3])
    tensors = _tensors(source / "model.safetensors")
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix=destination.name, suffix=".part")
    os.close(handle)
    try:
        writer = gguf.GGUFWriter(temporary, "llama")
        try:
            _add_metadata(writer, config, quantization)
            _add_tokenizer(writer, config, tokenizer, tokenizer_config)
            _add_tensors(writer, config, tensors, quantization, progress)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
        Path(temporary).chmod(0o644)  # a temporary file is its owner's alone
        os.replace(temporary, destination)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{source}: not a base model this exporter knows ({error!r})") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return destination


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path}: {error}; restore data/base or run `make base`") from error
    if not isinstance(content, dict):
        raise ModelFileError(f"{path}: holds no JSON object; restore data/base or run `make base`")
    return content


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path}: {error}; restore data/base or run `make base`") from error


def _add_metadata(writer: gguf.GGUFWriter, config: dict[str, Any], quantization: Quantization) -> None:
    if config["model_type"] != "llama":
        raise ValueError(f"model_type {config['model_type']!r}, only llama can be exported")
    heads = config["num_attention_heads"]
    writer.add_name(NAME)
    writer.add_version(VERSION)
    writer.add_license(LICENSE)
    writer.add_description("Small chat model for Townsfolk, trained from scratch on generated talk.")
    writer.add_languages(["en"])
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _add_tokenizer(
    writer: gguf.GGUFWriter,
    config: dict[str, Any],
    tokenizer: dict[str, Any],
    tokenizer_config: dict[str, Any],
) -> None:
    model = tokenizer["model"]
    tokens = [token for token, _ in sorted(model["vocab"].items(), key=lambda entry: int(entry[1]))]
    if len(tokens) != config["vocab_size"]:
        raise ValueError(f"{len(tokens)} tokens for a vocabulary of {config['vocab_size']}")
    special = {entry["content"] for entry in tokenizer["added_tokens"] if entry["special"]}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_merges(merges)
    end = tokens.index(tokenizer_config["eos_token"])
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    writer.add_pad_token_id(tokens.index(tokenizer_config["pad_token"]))
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(tokenizer_config["chat_template"])


def _add_tensors(
    writer: gguf.GGUFWriter,
    config: dict[str, Any],
    tensors: dict[str, NDArray[Any]],
    quantization: Quantization,
    progress: Progress | None,
) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for done, name in enumerate(sorted(tensors), 1):
        target = names.get_name(name, try_suffixes=(".weight",))
        if target is None:
            raise ValueError(f"unknown tensor {name!r}")
        values = np.asarray(tensors[name], dtype=np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"tensor {name!r} holds values that are not finite")
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = "num_attention_heads" if ".q_proj." in name else "num_key_value_heads"
            values = permute(values, config[heads])
        if values.ndim == 1:
            writer.add_tensor(target, values)
        elif quantization == "f16":
            writer.add_tensor(target, values.astype(np.float16))
        else:
            kind = _TENSOR_TYPES[quantization]
            writer.add_tensor(target, gguf.quants.quantize(values, kind), raw_dtype=kind)
        if progress is not None:
            progress(done, len(tensors))


def permute(weights: NDArray[Any], heads: int) -> NDArray[Any]:
    """Reorder the rows of q or k from Hugging Face's halves to llama.cpp's neighbouring pairs."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
