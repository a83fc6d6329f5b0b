from __future__ import annotations

import torch

from learner.base.layout import causal
from learner.base.model import Llama, ModelConfig


def test_the_future_cannot_be_seen(toy: Llama) -> None:
    ids = torch.arange(20)
    changed = ids.clone()
    changed[12:] += 100
    before, after = toy(ids), toy(changed)
    assert torch.allclose(before[:12], after[:12], atol=1e-5)
    assert not torch.allclose(before[12:], after[12:], atol=1e-3)


def test_states_at_chosen_positions_are_the_same_as_all_states(toy: Llama) -> None:
    ids = torch.randint(0, 600, (30,))
    positions = torch.arange(30)
    keep = torch.tensor([3, 7, 29])
    every = toy.hidden(ids, positions, causal(30))
    some = toy.hidden(ids, positions, causal(30), keep)
    assert torch.allclose(every[keep], some, atol=1e-5)


def test_names_are_hugging_faces() -> None:
    names = set(Llama(ModelConfig(layers=1)).state_dict())
    assert names == {
        "model.embed_tokens.weight",
        "model.norm.weight",
        *(f"model.layers.0.self_attn.{p}_proj.weight" for p in "qkvo"),
        *(f"model.layers.0.mlp.{p}_proj.weight" for p in ("gate", "up", "down")),
        "model.layers.0.input_layernorm.weight",
        "model.layers.0.post_attention_layernorm.weight",
    }


def test_sizes_fit_the_quantisation() -> None:
    config = ModelConfig()
    assert config.hidden % 32 == config.inner % 32 == 0
    described = config.hugging_face(end=1, pad=0)
    assert described["model_type"] == "llama"
    assert described["eos_token_id"] == 1
    assert described["tie_word_embeddings"] is True
