"""Small GGUF models made on the spot: settings come in, a file that the real engine loads goes out.

`random_model` has random weights: its replies are noise, but depend on the whole prompt; so has
`hybrid_model`, of another kind. `chain_model` says a given text after every prompt: each token names its
successor.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS, EMBEDDED_TEMPLATE

END = EMBEDDED_SPECIAL_TOKENS.index("<|end|>")
ASSISTANT = EMBEDDED_SPECIAL_TOKENS.index("<|assistant|>")
LAYERS = 2
HEADS = 4


def random_model(path: Path, *, seed: int = 1, context: int = 512, width: int = 64) -> Path:
    """A Llama with random weights over bytes and a few merged words."""
    tokens = _vocabulary(())
    weights = _random_weights(np.random.default_rng(seed), len(tokens), width)
    return _write(gguf.GGUFWriter(path, "llama"), path, tokens, weights, context)


def hybrid_model(path: Path, *, context: int = 512, width: int = 64) -> Path:
    """A small LFM2 of noise: one layer keeps a state that runs on, the other one cells."""
    tokens, rng = _vocabulary(()), np.random.default_rng(3)
    weights = _random_weights(rng, len(tokens), width)
    weights["token_embd_norm.weight"] = weights.pop("output_norm.weight")
    del weights["output.weight"]
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        del weights[f"blk.0.{name}.weight"]
    for name, shape in (("conv", (width, 3)), ("in_proj", (3 * width, width)), ("out_proj", (width, width))):
        weights[f"blk.0.shortconv.{name}.weight"] = rng.standard_normal(shape).astype(np.float32) / 8
    for name in ("attn_q_norm", "attn_k_norm"):
        weights[f"blk.1.{name}.weight"] = np.ones(width // HEADS, np.float32)
    writer = gguf.GGUFWriter(path, "lfm2")
    writer.add_uint32("lfm2.shortconv.l_cache", 3)
    return _write(writer, path, tokens, weights, context, key_heads=[0, HEADS])


def quantized(model: Path, path: Path) -> Path:
    """The same model with its matrices in Q8_0."""
    reader, writer = _copying(model, path, {})
    for tensor in reader.tensors:
        kind = gguf.GGMLQuantizationType.Q8_0 if len(tensor.shape) > 1 else tensor.tensor_type
        writer.add_tensor(tensor.name, gguf.quants.quantize(tensor.data, kind), raw_dtype=kind)
    return _written(writer, path)


def rewritten(file: Path, path: Path, values: Mapping[str, tuple[Any, gguf.GGUFValueType]]) -> Path:
    """The same model or adapter, saying other things of itself: by key, a value and its type, or the type of
    an array's values."""
    reader, writer = _copying(file, path, values)
    for name, (value, kind) in values.items():
        array = gguf.GGUFValueType.ARRAY if isinstance(value, list) else kind
        writer.add_key_value(name, value, array, sub_type=kind if isinstance(value, list) else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    return _written(writer, path)


def chain_model(
    path: Path, reply: Sequence[bytes], *, context: int = 512, endless: bool = False, rambling: bool = False
) -> Path:
    """A Llama that says `reply`, token by token, and then ends (or begins again, when `endless`; or says
    whatever the sampler draws, when `rambling`).

    Multi-byte elements become tokens of their own; no element may come twice.
    """
    assert len(set(reply)) == len(reply)
    tokens = _vocabulary(reply)
    ids = [tokens.index(_spelled(element)) for element in reply]
    width = 128
    rng = np.random.default_rng(5)
    weights = _random_weights(rng, len(tokens), width)
    for layer in range(LAYERS):
        weights[f"blk.{layer}.attn_output.weight"][:] = 0
        weights[f"blk.{layer}.ffn_down.weight"][:] = 0
    # With the layers silent, a token's logits are its own embedding against the rows of the output.
    embedding = weights["token_embd.weight"]
    output = np.zeros_like(embedding)
    following = dict(zip([ASSISTANT, *ids], [*ids, ids[0] if endless else END], strict=True))
    if rambling:
        del following[ids[-1]]
    for token, successor in following.items():
        output[successor] += embedding[token] * 4
    weights["output.weight"] = output
    return _write(gguf.GGUFWriter(path, "llama"), path, tokens, weights, context)


def _spelled(data: bytes) -> str:
    """Bytes as byte-level BPE spells them (GPT-2's table)."""
    return "".join(_SPELLING[byte] for byte in data)


def _byte_spelling() -> list[str]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


_SPELLING = _byte_spelling()
_MERGES = ["t h", "th e", "Ġ the", "i n", "Ġ a"]


def _vocabulary(extra: Sequence[bytes]) -> list[str]:
    words = [merge.replace(" ", "") for merge in _MERGES]
    known = [*EMBEDDED_SPECIAL_TOKENS, *_SPELLING, *words]
    return [*known, *(word for word in map(_spelled, extra) if word not in known)]


def _random_weights(rng: np.random.Generator, words: int, width: int) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    weights = {
        "token_embd.weight": rng.standard_normal((words, width)).astype(np.float32),
        "output_norm.weight": np.ones(width, np.float32),
        "output.weight": matrix(words, width) * 3,
    }
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        weights[block + "attn_norm.weight"] = np.ones(width, np.float32)
        weights[block + "ffn_norm.weight"] = np.ones(width, np.float32)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights[block + name + ".weight"] = matrix(width, width) * 2
        weights[block + "ffn_gate.weight"] = matrix(2 * width, width)
        weights[block + "ffn_up.weight"] = matrix(2 * width, width)
        weights[block + "ffn_down.weight"] = matrix(width, 2 * width)
    return weights


def _copying(file: Path, path: Path, without: Container[str]) -> tuple[gguf.GGUFReader, gguf.GGUFWriter]:
    """What a file says of itself, but for some keys, in a writer that still wants its tensors."""
    reader = gguf.GGUFReader(file)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture" and name not in without:
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    return reader, writer


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write(
    writer: gguf.GGUFWriter,
    path: Path,
    tokens: list[str],
    weights: dict[str, np.ndarray],
    context: int,
    key_heads: int | list[int] = HEADS,
) -> Path:
    width = weights["token_embd.weight"].shape[1]
    writer.add_name("Test Model")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if token in EMBEDDED_SPECIAL_TOKENS else normal for token in tokens])
    writer.add_token_merges(_MERGES)
    writer.add_bos_token_id(END)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(EMBEDDED_TEMPLATE)
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    return _written(writer, path)
