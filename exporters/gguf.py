"""A base model's folder (`config.json`, `tokenizer.json`, `tokenizer_config.json`, `model.safetensors`)
comes in; one GGUF file for llama.cpp goes out. Needs numpy and `gguf`, never torch.

The same folder and quantisation give the same bytes. A broken folder raises `ModelFileError`, and the
destination is either the whole new file or what it was before.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from agent_runtime.errors import ModelFileError
from exporters.architectures import add_settings, architecture_of, read_config, read_json, served_tensors

Quantization = Literal["f16", "bf16", "q8_0"]
Progress = Callable[[int, int], None]
Tensors = Mapping[str, NDArray[Any]]

SOURCE_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
PRE_TOKENIZER = "smollm"  # digits one by one, then GPT-2's pattern: what learner.base.tokenize trains
NAME = "Townsfolk Base"
VERSION = "1"
LICENSE = "Apache-2.0"

_FILE_TYPES = {
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
_TENSOR_TYPES = {
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}


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
    source: Path,
    destination: Path,
    quantization: Quantization = "bf16",
    progress: Progress | None = None,
    *,
    name: str = NAME,
) -> Path:
    """Write the GGUF of a folder whose tokenizer is ours, and return its path.

    `progress` is called with (tensors done, tensors in all). Norms stay in f32 in every quantisation."""
    config = read_config(source)
    tokenizer, tokenizer_config = (read_json(source / name) for name in SOURCE_FILES[1:3])
    tensors = _tensors(source / "model.safetensors")
    try:
        with replacing(destination) as temporary:
            writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[architecture_of(config)])
            try:
                _add_metadata(writer, quantization, name)
                add_settings(writer, config)
                _add_tokenizer(writer, config, tokenizer, tokenizer_config)
                _add_tensors(writer, config, tensors, quantization, progress)
                writer.write_header_to_file()
                writer.write_kv_data_to_file()
                writer.write_tensors_to_file()
            finally:
                writer.close()
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{source}: not a base model this exporter knows ({error!r})") from error
    return destination


@contextmanager
def replacing(destination: Path) -> Iterator[str]:
    """A temporary file beside the destination, which takes its place when all went well."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix=destination.name, suffix=".part")
    os.close(handle)
    try:
        yield temporary
        Path(temporary).chmod(0o644)  # a temporary file is its owner's alone
        os.replace(temporary, destination)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"{path}: {error}; restore data/base or run `make base`") from error


def _add_metadata(writer: gguf.GGUFWriter, quantization: Quantization, name: str) -> None:
    writer.add_name(name)
    writer.add_version(VERSION)
    writer.add_license(LICENSE)
    writer.add_description("Small chat model for Townsfolk, trained from scratch on generated talk.")
    writer.add_languages(["en"])
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


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
    tensors: Tensors,
    quantization: Quantization,
    progress: Progress | None,
) -> None:
    for done, (target, values) in enumerate(served_tensors(tensors, config), 1):
        if not np.isfinite(values).all():
            raise ValueError(f"tensor {target!r} holds values that are not finite")
        if values.ndim == 1 or target.endswith(("_inp.weight", ".bias")):
            writer.add_tensor(target, values)  # norms, biases and the experts' router
        else:
            kind = _TENSOR_TYPES[quantization]
            writer.add_tensor(target, gguf.quants.quantize(values, kind), raw_dtype=kind)
        if progress is not None:
            progress(done, max(done, len(tensors)))
