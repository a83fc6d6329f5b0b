"""A trained model and its tokenizer come in; the files of `data/base/` go out (f16, Hugging Face's form)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from agent_runtime.engine.template import EMBEDDED_TEMPLATE
from learner.base.model import Llama, ModelConfig
from learner.base.tokenize import END, Encoder

PAD = "<|pad|>"


def save_base(model: Llama, encoder: Encoder, folder: Path) -> None:
    """Write config, tokenizer and weights, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    end, pad = encoder.id_of(END), encoder.id_of(PAD)
    _write_json(folder / "config.json", model.config.hugging_face(end, pad))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END,
            "pad_token": PAD,
            "chat_template": EMBEDDED_TEMPLATE,
            "add_bos_token": False,
            "clean_up_tokenization_spaces": False,
            "model_max_length": model.config.context,
        },
    )
    encoder.tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    weights = model.state_dict().items()
    tensors = {name: value.to("cpu", torch.float16).contiguous() for name, value in weights}
    temporary = folder / "model.safetensors.tmp"
    save_file(tensors, temporary, metadata={"format": "pt"})
    temporary.chmod(0o644)
    os.replace(temporary, folder / "model.safetensors")


def load_base(folder: Path) -> Llama:
    """The model of such a folder, in float32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = Llama(
        ModelConfig(
            vocabulary=config["vocab_size"],
            hidden=config["hidden_size"],
            inner=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            context=config["max_position_embeddings"],
            rope_theta=config["rope_theta"],
            epsilon=config["rms_norm_eps"],
        )
    )
    model.load_state_dict(
        {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    )
    return model


@torch.no_grad()
def blend(model: Llama, start: Llama, share: float) -> None:
    """Move the model's weights by that share towards those it was trained on from (Wortsman et al. 2022,
    https://arxiv.org/abs/2203.05482): a short training and its start lie in one valley."""
    for weight, before in zip(model.parameters(), start.parameters(), strict=True):
        weight.lerp_(before.to(weight.device), share)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)
