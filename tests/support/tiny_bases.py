"""Tiny bases with random weights in Hugging Face's form: a family's name comes in, a folder that can be
trained, converted and served goes out. They say noise, but each says its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer

from agent_runtime.engine.template import EMBEDDED_TEMPLATE
from agent_runtime.npc.prompt import Message
from learner.base.tokenize import END, train_tokenizer
from learner.base.weights import PAD
from learner.examples import Example, write_examples

WORDS = 384
SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"tie_word_embeddings": True, "head_dim": 32}),
    "gpt_oss": (
        "GptOss",
        {"head_dim": 32, "intermediate_size": 64, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
}


@cache
def _tokenizer() -> Tokenizer:
    folder = Path(__file__).parents[2] / "learner" / "base" / "texts"
    return train_tokenizer(folder.joinpath("replies.toml").read_text(encoding="utf-8").splitlines(), WORDS)


def tiny_base(folder: Path, family: str = "llama", seed: int = 1, **sizes: float) -> Path:
    """Write the folder and return it; `sizes` stand in the place of the usual ones."""
    name, settings = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**{**SIZES, **settings, **sizes})
    torch.manual_seed(seed)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    tokenizer = _tokenizer()
    assert tokenizer.get_vocab_size() == WORDS
    model.config.eos_token_id, model.config.pad_token_id = (tokenizer.token_to_id(x) for x in (END, PAD))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"eos_token": END, "pad_token": PAD, "chat_template": EMBEDDED_TEMPLATE, "add_bos_token": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return folder


def examples(count: int) -> Iterator[Example]:
    """Demonstrations, thumbs and pairs in turn: greetings end with a sign-off."""
    for number in range(count):
        messages = (
            Message("system", "You are Mira, the baker."),
            Message("user", f"[1] time: noon\nplayer{number}: hello for the {number}. time"),
        )
        good, bad = f"Good day, player{number}. Mind the step.", f"What do you want, player{number}?"
        name, weight = f"e{number}", 0.5 + number % 3
        match number % 4:
            case 0:
                yield Example(name, "demonstration", messages, good, weight=weight)
            case 1:
                yield Example(name, "thumb", messages, good, label=True, weight=weight)
            case 2:
                yield Example(name, "thumb", messages, bad, label=False, weight=weight)
            case _:
                yield Example(name, "pair", messages, good, rejected=bad, weight=weight)


def tiny_dataset(folder: Path, count: int = 16) -> Path:
    """`train.jsonl` and `validation.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_examples(folder / "train.jsonl", examples(count))
    write_examples(folder / "validation.jsonl", list(examples(count + 4))[count:])
    return folder
