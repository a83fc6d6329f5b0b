"""A model's file: a path comes in, its checked header goes out, or `ModelFileError` with the reason.

The engine library may abort the process on a broken file, so whatever the header shows is checked
here first. Weights are hashed, never interpreted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent_runtime.engine import ggufheader
from agent_runtime.engine.ggufheader import Header, Scalar
from agent_runtime.errors import ModelFileError

_TOKENS = "tokenizer.ggml.tokens"

# Keys below the architecture's name that every decoder has, and the most that is believed. The library
# aborts on a zero, and on more blocks than 512.
_SIZES = {
    "context_length": 2**24,
    "embedding_length": 2**20,
    "block_count": 512,
    "attention.head_count": 2**16,
}


_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_MOST_EXPERTS = 512


def digest(path: Path) -> str:
    """The file's sha256 in hex. Raises `ModelFileError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_header(path: Path) -> Header:
    """Read and check the header of a GGUF language model. Raises `ModelFileError`."""
    header = ggufheader.read(path)
    problem = _problem(header)
    if problem:
        raise ModelFileError(f"{path}: {problem}; fetch it again or choose another model")
    return header


def _problem(header: Header) -> str | None:
    """What makes a well-formed GGUF unfit as a chat model, in words; None when nothing does."""
    values, lengths = header.values, header.lengths
    architecture = values.get("general.architecture")
    kind = values.get("general.type", "model")
    if not isinstance(architecture, str) or kind != "model":
        return "not a model (an adapter, a projector or a bare vocabulary)"
    for key, most in _SIZES.items():
        name = f"{architecture}.{key}"
        value = values.get(name)
        # Some architectures have one head count per layer: an array, whose length was bounded above.
        if name not in lengths and (not isinstance(value, int) or not 0 < value <= most):
            return f"{name} is {value!r}"
    for key, value in values.items():
        if key.endswith("epsilon") and not (isinstance(value, float) and 0 <= value < 1):
            return f"{key} is {value!r}"
    problem = _rope_or_experts(values, architecture)
    if problem:
        return problem
    words = lengths.get(_TOKENS, 0)
    if not words:
        return "it has no vocabulary"
    if values.get("tokenizer.ggml.model") == "llama" and not header.spells_bytes:
        return "its vocabulary cannot spell every byte, and players type what they like"
    for key, value in values.items():
        if key.startswith("tokenizer.ggml.") and key.endswith("_token_id") and not _below(value, words):
            return f"{key} is {value!r}, and the vocabulary has {words} tokens"
    for key in ("tokenizer.ggml.token_type", "tokenizer.ggml.scores"):
        if lengths.get(key, words) != words:
            return f"{key} has {lengths[key]} entries for {words} tokens"
    embedding = header.tensors.get("token_embd.weight")
    width = values.get(f"{architecture}.embedding_length")
    if embedding is None or len(embedding.shape) < 2 or embedding.shape[:2] != (width, words):
        return "the embedding does not fit the vocabulary"
    heads = values.get(f"{architecture}.attention.head_count")
    key_heads = values.get(f"{architecture}.attention.head_count_kv", heads)
    if isinstance(heads, int) and isinstance(key_heads, int) and (key_heads <= 0 or heads % key_heads):
        return f"{heads} attention heads cannot share {key_heads} key heads"
    return None


def _rope_or_experts(values: dict[str, Scalar], architecture: str) -> str | None:
    """What the library would abort on; None when there is nothing."""
    scaling = values.get(name := f"{architecture}.rope.scaling.type", "none")
    if scaling not in _ROPE_SCALINGS:
        return f"{name} is {scaling!r}, and the engine knows {', '.join(_ROPE_SCALINGS)}"
    all_, used = (values.get(f"{architecture}.expert_{key}", 0) for key in ("count", "used_count"))
    fit = isinstance(all_, int) and isinstance(used, int) and (0 < used <= all_ <= _MOST_EXPERTS)
    if not fit and (all_, used) != (0, 0):
        return f"{used} of {all_} experts cannot be used (at most {_MOST_EXPERTS})"
    return None


def _below(value: Scalar, limit: int) -> bool:
    # 2³²−1 stands for "none" in files written by some converters.
    return isinstance(value, int) and (0 <= value < limit or value == 2**32 - 1)
