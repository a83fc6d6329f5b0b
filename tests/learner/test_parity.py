"""A trained adapter and its export say the same, in the real engine; and what is wrong is caught."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from agent_runtime.errors import ExportError
from exporters.adapter import CONFIG, WEIGHTS, export_adapter
from exporters.gguf import Quantization, export_base
from learner.parity import Answers, Parity, Tolerance, check, compare, demand, served_logits, trained_logits
from learner.train.backends import Trainable
from learner.train.rows import Row, load_encoder, make_items
from learner.train.run import ADAPTER, load_trained, train
from tests.support.profiles import quick
from tests.support.tiny_bases import FAMILIES, examples, tiny_base, tiny_dataset

Array = NDArray[Any]

BASE = Path(__file__).parents[2] / "data" / "base"
PROFILE = quick(schedule={"epochs": 4, "learning_rate": 5e-3})


@dataclass(frozen=True, slots=True)
class SlowRun:
    base: Path
    trained: Trainable
    served: Path
    adapter: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short real training on the shipped base."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    train(tiny_dataset(folder / "dataset", 12), BASE, PROFILE, folder / "run")
    return folder / "run"


def rows_of(base: Path) -> list[Row]:
    return [item.rows[0] for item in make_items(examples(6), load_encoder(base), 256, 1)][:3]


def exported(run: Path, base: Path, folder: Path) -> Path:
    return export_adapter(run / ADAPTER, base, folder / "adapter.gguf", version="1").path


def rewritten(adapter: Path, target: Path, change: Callable[[str, Array], Array | None]) -> Path:
    """The adapter with each tensor changed, or left out."""
    reader = gguf.GGUFReader(adapter)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    for tensor in reader.tensors:
        values = change(tensor.name, tensor.data)
        if values is not None:
            writer.add_tensor(tensor.name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def other_half(name: str, values: Array) -> Array:
    return values[::-1] if name.endswith(("attn_q.weight.lora_b", "attn_k.weight.lora_b")) else values


# In Q8_0 the bare base itself, whose weights are small and sure, differs by 0.062 from what was trained.
@pytest.mark.parametrize(("quantization", "distance"), [("f16", 0.01), ("bf16", 0.06), ("q8_0", 0.1)])
def test_the_served_adapter_says_what_was_trained(
    run: Path, tmp_path: Path, quantization: Quantization, distance: float
) -> None:
    base = export_base(BASE, tmp_path / "base.gguf", quantization)
    trained = trained_logits(load_trained(BASE, run, PROFILE), rows_of(BASE))
    served = served_logits(base, exported(run, BASE, tmp_path), rows_of(BASE))
    found = compare(trained, served)
    demand(found, Tolerance(distance=distance))
    bare = compare(Answers(*[trained.bare] * 3), Answers(*[served.bare] * 3))
    assert found.distance < 1.5 * bare.distance
    assert found.agreement > 0.85
    assert abs(found.scale - 1) < 0.02
    assert found.residual < 0.1


@pytest.fixture
def spoilt(run: Path, tmp_path: Path) -> Path:
    shutil.copytree(run / ADAPTER, tmp_path / "spoilt" / ADAPTER)
    return tmp_path / "spoilt"


@pytest.mark.parametrize("factor", [0.5, 2.0, 8**-0.5])
def test_a_wrong_alpha_is_caught(run: Path, spoilt: Path, tmp_path: Path, factor: float) -> None:
    config = json.loads((spoilt / ADAPTER / CONFIG).read_text())
    config["lora_alpha"] *= factor
    (spoilt / ADAPTER / CONFIG).write_text(json.dumps(config))
    base = export_base(BASE, tmp_path / "base.gguf")
    with pytest.raises(ExportError, match="times as strongly"):
        check(load_trained(BASE, run, PROFILE), base, exported(spoilt, BASE, tmp_path), rows_of(BASE))


def test_rows_in_the_wrong_order_are_caught(run: Path, tmp_path: Path) -> None:
    wrong = rewritten(exported(run, BASE, tmp_path), tmp_path / "wrong.gguf", other_half)
    base = export_base(BASE, tmp_path / "base.gguf")
    with pytest.raises(ExportError, match="not what was trained"):
        check(
            load_trained(BASE, run, PROFILE),
            base,
            wrong,
            rows_of(BASE),
            Tolerance(weights=9.0, distance=1.0, scale=1.0, residual=0.1),
        )


def test_another_runs_adapter_is_caught(run: Path, spoilt: Path, tmp_path: Path) -> None:
    tensors = load_file(spoilt / ADAPTER / WEIGHTS)
    rng = np.random.default_rng(1)
    mixed = {name: rng.permutation(values.ravel()).reshape(values.shape) for name, values in tensors.items()}
    save_file(mixed, spoilt / ADAPTER / WEIGHTS)
    base = export_base(BASE, tmp_path / "base.gguf")
    with pytest.raises(ExportError):
        check(load_trained(BASE, run, PROFILE), base, exported(spoilt, BASE, tmp_path), rows_of(BASE))


def noisy_base(folder: Path, family: str, seed: int = 1) -> Path:
    # Experts of larger random weights are chosen by a rounding, of which bfloat16 has many.
    return tiny_base(folder, family, seed, initializer_range=0.05 if family == "gpt_oss" else 0.2)


@pytest.fixture(scope="module", params=["qwen3", "gpt_oss"])
def slow_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SlowRun:
    """A few steps at the learning rate of a profile for large bases, which move an adapter by less than
    bfloat16 rounds the logits."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp(request.param)
    base = noisy_base(folder / "base", request.param)
    profile = quick("gpt-oss-20b", lora={"layers": (0, 1)}) if request.param == "gpt_oss" else quick("qwen3")
    train(tiny_dataset(folder / "dataset", 12), base, profile, folder / "run", backend="cpu")
    served = export_base(base, folder / "base.gguf", "bf16")
    adapter = exported(folder / "run", base, folder)
    return SlowRun(base, load_trained(base, folder / "run", profile), served, adapter)


def test_an_adapter_of_few_small_steps_is_accepted(slow_run: SlowRun) -> None:
    found = check(slow_run.trained, slow_run.served, slow_run.adapter, rows_of(slow_run.base))
    assert found.amplified > 4
    assert found.weights < 0.003
    assert abs(found.scale - 1) < 0.05
    assert found.residual < 0.2


def backwards(name: str, values: Array) -> Array:
    return values[::-1] if name.endswith("lora_b") else values


def without_a_layer(name: str, values: Array) -> Array:
    return values * 0 if ".1." in name and name.endswith("lora_b") else values


def too_strong(name: str, values: Array) -> Array:
    return values * 1.25 if name.endswith("lora_b") else values


@pytest.mark.parametrize("change", [backwards, without_a_layer, too_strong])
def test_what_is_wrong_with_a_small_adapter_is_seen_in_its_weights_and_in_what_it_says(
    slow_run: SlowRun, tmp_path: Path, change: Callable[[str, Array], Array]
) -> None:
    wrong = rewritten(slow_run.adapter, tmp_path / "wrong.gguf", change)
    rows = rows_of(slow_run.base)
    with pytest.raises(ExportError, match=r"blk\.[01]\.attn_[a-z]+\.weight is not as it was trained"):
        check(slow_run.trained, slow_run.served, wrong, rows)
    with pytest.raises(ExportError, match=r"times as strongly|not what was trained"):
        check(slow_run.trained, slow_run.served, wrong, rows, Tolerance(weights=9.0))


def test_a_tensor_that_is_missing_is_caught(slow_run: SlowRun, tmp_path: Path) -> None:
    gone = "blk.1.attn_v.weight"
    wrong = rewritten(
        slow_run.adapter, tmp_path / "wrong.gguf", lambda name, values: None if gone in name else values
    )
    with pytest.raises(ExportError, match=gone):
        check(slow_run.trained, slow_run.served, wrong, rows_of(slow_run.base))


def test_another_base_is_caught(slow_run: SlowRun, tmp_path: Path) -> None:
    family = json.loads((slow_run.base / "config.json").read_text())["model_type"]
    other = noisy_base(tmp_path / "other", family, seed=2)
    served = export_base(other, tmp_path / "other.gguf", "bf16")
    with pytest.raises(ExportError, match="of their spread"):
        check(slow_run.trained, served, slow_run.adapter, rows_of(slow_run.base))


def test_an_adapter_that_learned_nothing_is_what_was_trained(run: Path, tmp_path: Path) -> None:
    tensors = load_file(run / ADAPTER / WEIGHTS)
    folder = tmp_path / "nothing"
    shutil.copytree(run / ADAPTER, folder / ADAPTER)
    save_file(
        {name: values * ("lora_A" in name) for name, values in tensors.items()}, folder / ADAPTER / WEIGHTS
    )
    base = export_base(BASE, tmp_path / "base.gguf", "f16")
    check(load_trained(BASE, folder, PROFILE), base, exported(folder, BASE, tmp_path), rows_of(BASE))


def test_the_arithmetic_tells_scale_from_noise() -> None:
    rng = np.random.default_rng(1)
    bare = rng.standard_normal((5, 9)).astype(np.float32)
    effect = rng.standard_normal((5, 9)).astype(np.float32)

    def answers(changed: Array) -> Answers:
        return Answers(bare, bare, changed)

    trained = answers(bare + effect)
    exact = compare(trained, trained)
    assert (exact.max_abs, exact.scale, exact.residual, exact.agreement) == (0, 1, 0, 1)
    half = compare(trained, answers(bare + effect / 2))
    assert half.scale == pytest.approx(0.5, abs=1e-5)
    assert half.residual == pytest.approx(0, abs=1e-3)
    other = compare(trained, answers(bare + effect[::-1]))
    assert other.residual > 0.5
    nothing = compare(trained, answers(bare))
    assert (nothing.scale, nothing.residual) == (0, 1)
    elsewhere = compare(trained, Answers(bare, bare + 0.5, bare + effect))
    assert (elsewhere.max_abs, elsewhere.scale) == (0.5, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights", 0.1), ("distance", 0.2), ("scale", 0.8), ("residual", 0.5), ("scale", float("nan"))],
)
def test_each_measure_can_refuse(field: str, value: float) -> None:
    good = {"positions": 1, "max_abs": 0.1, "largest": 9.0, "distance": 0.01, "agreement": 1.0}
    good |= {"scale": 1.0, "residual": 0.0}
    demand(Parity(**good), Tolerance())
    with pytest.raises(ExportError):
        demand(Parity(**{**good, field: value}), Tolerance())


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_is_trained_exported_and_served(tmp_path: Path, family: str) -> None:
    """Tiny random bases of each architecture, up to the served adapter."""
    base = tiny_base(tmp_path / "base", family)
    train(tiny_dataset(tmp_path / "dataset", 12), base, PROFILE, tmp_path / "run")
    served = export_base(base, tmp_path / "base.gguf", "f16", name="Tiny")
    adapter = exported(tmp_path / "run", base, tmp_path)
    found = check(load_trained(base, tmp_path / "run", PROFILE), served, adapter, rows_of(base))
    assert abs(found.scale - 1) < 0.05
    assert found.agreement > 0.9
