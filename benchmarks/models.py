"""The models of the engine's benchmark: GGUF files that say more words for as long as they are asked to.

`embedded` is the embedded base itself, weight for weight, but none of its tokens ends a reply, so that every
peer speaks the same number of tokens. `half_billion` has random weights in the shape of Qwen3 and the size
of its smallest. `adapter` is a random LoRA on either. All of them are made once and kept in a folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np

from agent_runtime.config import share_dir
from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS
from exporters.gguf import base_digest, export_base

FOLDER = Path(__file__).parent.parent / "build" / "bench-models"

_LAYERS, _WIDTH, _FEED, _HEADS, _KEY_HEADS, _HEAD = 22, 1024, 3072, 16, 8, 128
_WORDS = 151_936
_CONTEXT = 4096
_RANK = 8
_STRENGTH = 16.0  # so that it changes what the embedded base says
_PEAK = 8.0
"""How much larger the random model's logits are made, so that few tokens are likely, as in a trained one."""


def embedded(folder: Path = FOLDER) -> Path:
    """The embedded base without ends."""
    source = share_dir() / "data" / "base"
    path = folder / f"embedded-{base_digest(source)[:12]}.gguf"
    return _once(path, lambda part: _without_ends(export_base(source, folder / "base.gguf"), part))


def half_billion(folder: Path = FOLDER) -> Path:
    """502 million random weights in Q4_0, with the embedded base's tokenizer padded to Qwen's vocabulary."""
    return _once(folder / "random-0.5b-q4_0.gguf", lambda part: _random(embedded(folder), part))


def adapter(base: Path, seed: int, folder: Path = FOLDER) -> Path:
    """A LoRA of rank 8 on all attention weights of `base`, strong enough to change what it says."""
    return _once(folder / f"{base.stem}-lora-{seed}.gguf", lambda part: _adapter(base, part, seed))


def _once(path: Path, make: Callable[[Path], None]) -> Path:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        make(part)
        os.replace(part, path)
    return path


def _without_ends(source: Path, path: Path) -> None:
    """The same model with ordinary tokens where tokens ended a reply."""
    writer = gguf.GGUFWriter(path, "llama")
    reader = gguf.GGUFReader(source)
    _copy_fields(reader, writer)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    _finish(writer)


def _copy_fields(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, tokens: bool = True) -> None:
    """All metadata, or only the tokenizer's but for its tokens; what ended a reply is another word now."""
    for name, field in reader.fields.items():
        value, kind = field.contents(), field.types[0]
        if name.startswith("GGUF.") or name in ("general.architecture", "tokenizer.ggml.eot_token_id"):
            continue
        if not tokens and (not name.startswith("tokenizer.") or name.endswith((".tokens", ".token_type"))):
            continue
        if name == "tokenizer.ggml.tokens":
            value = [_renamed(token) for token in value]
        elif name == "tokenizer.ggml.token_type":
            value = [
                gguf.TokenType.USER_DEFINED if each == gguf.TokenType.CONTROL else each for each in value
            ]
        elif name == "tokenizer.ggml.eos_token_id":
            value = EMBEDDED_SPECIAL_TOKENS.index("<|pad|>")
        elif name == "tokenizer.chat_template":
            value = value.replace("<|end|>", _renamed("<|end|>"))
        writer.add_key_value(name, value, kind, field.types[-1] if len(field.types) > 1 else None)


def _renamed(token: str) -> str:
    # The library knows `<|end|>` as the end of a turn by its name alone.
    return "<|fin|>" if token == "<|end|>" else token


def _random(tokenizer: Path, path: Path) -> None:
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("Random 0.5B")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KEY_HEADS)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    reader = gguf.GGUFReader(tokenizer)
    _copy_fields(reader, writer, tokens=False)
    known = [_renamed(token) for token in reader.fields["tokenizer.ggml.tokens"].contents()]
    writer.add_token_list([*known, *(f"word{number}" for number in range(len(known), _WORDS))])
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    writer.add_token_types([*types, *[gguf.TokenType.NORMAL] * (_WORDS - len(known))])
    rng = np.random.default_rng(1)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, _blocks(rng, rows, columns), raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    def ones(name: str, length: int, value: float = 1.0) -> None:
        writer.add_tensor(name, np.full(length, value, np.float32))

    matrix("token_embd.weight", _WORDS, _WIDTH)
    ones("output_norm.weight", _WIDTH, _PEAK)
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        ones(block + "attn_norm.weight", _WIDTH)
        ones(block + "ffn_norm.weight", _WIDTH)
        ones(block + "attn_q_norm.weight", _HEAD)
        ones(block + "attn_k_norm.weight", _HEAD)
        matrix(block + "attn_q.weight", _HEADS * _HEAD, _WIDTH)
        matrix(block + "attn_k.weight", _KEY_HEADS * _HEAD, _WIDTH)
        matrix(block + "attn_v.weight", _KEY_HEADS * _HEAD, _WIDTH)
        matrix(block + "attn_output.weight", _WIDTH, _HEADS * _HEAD)
        matrix(block + "ffn_gate.weight", _FEED, _WIDTH)
        matrix(block + "ffn_up.weight", _FEED, _WIDTH)
        matrix(block + "ffn_down.weight", _WIDTH, _FEED)
    _finish(writer)


def _blocks(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Random weights in Q4_0: blocks of 32, two bytes of scale and two weights in each other byte."""
    blocks = rng.integers(0, 256, (rows, columns // 32, 18), np.uint8)
    # Sixteen equally likely levels around zero deviate by 4.6 of them.
    blocks[..., :2] = np.frombuffer(np.float16(1 / (4.6 * columns**0.5)).tobytes(), np.uint8)
    return blocks.reshape(rows, -1)


def _adapter(base: Path, path: Path, seed: int) -> None:
    reader = gguf.GGUFReader(base)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(_RANK))
    rng = np.random.default_rng(seed)
    for tensor in reader.tensors:
        if tensor.name.endswith(tuple(f"attn_{part}.weight" for part in ("q", "k", "v", "output"))):
            columns, rows = map(int, tensor.shape)
            down = rng.standard_normal((_RANK, columns)) / columns**0.5
            up = _STRENGTH * rng.standard_normal((rows, _RANK)) / rows**0.5
            writer.add_tensor(tensor.name + ".lora_a", down.astype(np.float32))
            writer.add_tensor(tensor.name + ".lora_b", up.astype(np.float32))
    _finish(writer)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
