from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from agent_runtime.errors import TrainingError
from exporters.adapter import export_adapter
from exporters.gguf import export_base
from learner.parity import check
from learner.train.backends import BACKENDS, Name, choose, no_unsloth
from learner.train.losses import log_probabilities
from learner.train.rows import load_encoder, make_items
from learner.train.run import ADAPTER, load_trained, train
from tests.support.profiles import quick
from tests.support.tiny_bases import examples, tiny_base


def trained_names(base: Path, **lora: object) -> set[str]:
    trainable = BACKENDS["cpu"].load(base, quick(lora=lora), seed=1)
    return {name for name, weight in trainable.model.named_parameters() if weight.requires_grad}


def test_only_the_adapters_of_the_wanted_modules_are_trained(base: Path) -> None:
    names = trained_names(base)
    assert len(names) == 2 * 7 * 2
    assert all((".self_attn." in name or ".mlp." in name) and ".lora_" in name for name in names)
    names = trained_names(base, targets=("q_proj",), layers=(1, 1))
    assert len(names) == 2
    assert all(".layers.1.self_attn.q_proj.lora_" in name for name in names)


def test_no_expert_and_no_router_of_gpt_oss_is_trained(tmp_path: Path) -> None:
    names = trained_names(tiny_base(tmp_path, "gpt_oss"), layers=(1, 1))
    assert names
    assert all(".layers.1.self_attn." in name for name in names)


def test_a_layer_that_the_base_lacks_is_an_error(base: Path) -> None:
    with pytest.raises(TrainingError, match="layer 23") as caught:
        trained_names(base, layers=(19, 23))
    assert caught.value.reason == "backend"


@pytest.mark.parametrize("name", ["cpu", "peft"])
def test_weights_that_cannot_be_read_are_an_error_of_the_backend(tmp_path: Path, name: Name) -> None:
    base = tiny_base(tmp_path)
    weights = base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="cannot be loaded") as caught:
        BACKENDS[name].load(base, quick(), seed=1)
    assert caught.value.reason == "backend"


@pytest.mark.parametrize("name", ["cpu", "peft"])
def test_memory_that_loading_cannot_have_is_a_reason(base: Path, name: Name) -> None:
    with pytest.raises(TrainingError, match="take a smaller base") as caught:
        BACKENDS[name].load(base, quick(lora={"r": 2**45}), seed=1)
    assert caught.value.reason == "out_of_memory"


def test_the_same_seed_gives_the_same_beginning(base: Path) -> None:
    first, again, other = (
        torch.cat([weight.ravel() for weight in BACKENDS["cpu"].load(base, quick(), seed).weights])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_fresh_adapter_changes_nothing(base: Path) -> None:
    trainable = BACKENDS["cpu"].load(base, quick(), seed=1)
    ids = [5, 6, 7, 8]
    with trainable.model.disable_adapter():
        bare = trainable.logits(ids)
    assert torch.equal(trainable.logits(ids), bare)


def test_padding_changes_no_score(base: Path) -> None:
    trainable = BACKENDS["cpu"].load(base, quick(), seed=1)
    ids = torch.tensor([[5, 6, 7, 8, 9, 0, 0, 0]])
    chosen = torch.tensor([[False, False, True, True, False, False, False, False]])
    scores = trainable.scores(ids, chosen)
    assert torch.allclose(scores, trainable.scores(ids[:, :5], chosen[:, :5]), atol=1e-5)
    assert torch.allclose(
        scores, trainable.logits([5, 6, 7, 8, 9])[2:4], atol=0.1
    )  # bfloat16 against float32


def test_the_choice_is_explained() -> None:
    backend, why = choose(quick())
    assert backend.name == "cpu"
    assert "small base" in why
    backend, why = choose(quick("gpt-oss-20b"))
    assert backend.name == ("peft" if no_unsloth() else "unsloth")
    assert why


@pytest.mark.skipif(not no_unsloth(), reason="unsloth can be used here")
def test_unsloth_is_refused_with_a_reason_where_it_cannot_run(base: Path) -> None:
    with pytest.raises(TrainingError, match="choose the backend peft or cpu") as caught:
        BACKENDS["unsloth"].load(base, quick(), seed=1)
    assert caught.value.reason == "backend"


@pytest.mark.parametrize("name", ["cpu", "peft"])
def test_a_look_without_gradients_changes_none(tmp_path: Path, name: Name) -> None:
    """bitsandbytes repacks a base that is evaluated on the processor, and loses its gradients then."""
    profile = quick("qwen3", lora={"dropout": 0.0})
    trainable = BACKENDS[name].load(tiny_base(tmp_path, "qwen3"), profile, seed=1)
    rows = [item.rows[0] for item in make_items(examples(2), load_encoder(tmp_path), 256, 1)]

    def gradients() -> torch.Tensor:
        for weight in trainable.weights:
            weight.grad = None
        log_probabilities(trainable, rows)[0].sum().backward()
        return torch.cat([weight.grad.ravel() for weight in trainable.weights if weight.grad is not None])

    trainable.dropout(True)
    before = gradients()
    trainable.logits(rows[0].ids)
    trainable.dropout(True)
    assert before.abs().max() > 0
    assert torch.allclose(gradients(), before, rtol=1e-3, atol=1e-4)


def test_dropout_alone_is_switched(base: Path) -> None:
    trainable = BACKENDS["cpu"].load(base, quick(lora={"dropout": 0.5}), seed=1)
    ids, chosen = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[False, False, True, True]])
    for weight in trainable.weights:
        torch.nn.init.normal_(weight)
    trainable.dropout(True)
    assert not torch.equal(trainable.scores(ids, chosen), trainable.scores(ids, chosen))
    trainable.dropout(False)
    assert torch.equal(trainable.scores(ids, chosen), trainable.scores(ids, chosen))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen3", "gpt_oss"])
def test_an_nf4_base_is_trained_exported_and_served(dataset: Path, tmp_path: Path, family: str) -> None:
    """The QLoRA path through bitsandbytes; its effect holds on the same base in other quantisations."""
    # Experts of larger random weights are chosen by a rounding, of which bfloat16 has many.
    base = tiny_base(tmp_path / "base", family, initializer_range=0.05)
    profile = quick("qwen3", schedule={"learning_rate": 5e-3, "accumulate": 2})
    trained = train(dataset, base, profile, tmp_path / "run")
    assert trained.backend == "peft"
    config = json.loads((tmp_path / "run" / "run.json").read_text())
    assert config["profile"]["quantization"] == "nf4"
    adapter = export_adapter(tmp_path / "run" / ADAPTER, base, tmp_path / "adapter.gguf", version="1").path
    served = export_base(base, tmp_path / "base.gguf", "f16")
    rows = [item.rows[0] for item in make_items(examples(4), load_encoder(base), 256, 1)]
    assert abs(check(load_trained(base, tmp_path / "run", profile), served, adapter, rows).scale - 1) < 0.05


def test_experts_keep_their_precision_and_take_no_gradients(tmp_path: Path) -> None:
    base = tiny_base(tmp_path, "gpt_oss")
    trainable = BACKENDS["peft"].load(base, quick("gpt-oss-20b", lora={"layers": (1, 1)}), seed=1)
    experts = [weight for name, weight in trainable.model.named_parameters() if ".experts." in name]
    assert experts
    assert {weight.dtype for weight in experts} == {torch.bfloat16}
    assert not any(weight.requires_grad for weight in experts)


def test_a_base_that_cannot_become_small_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    base = tiny_base(tmp_path, "gpt_oss")
    profile = quick("gpt-oss-20b", lora={"layers": (1, 1)}, budget={"memory_mb": 0.01})
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match=r"of experts of .* would stay in bfloat16") as caught:
            BACKENDS["peft"].load(base, profile, seed=1)
        assert caught.value.reason == "backend"
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match=r"quantised already \(mxfp4\)"):
        BACKENDS["peft"].load(base, profile, seed=1)
