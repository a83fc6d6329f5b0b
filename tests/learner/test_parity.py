"""A trained adapter and its export say the same, in the real engine; and what is wrong is caught."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from agent_runtime.errors import ExportError
from exporters.adapter import CONFIG, WEIGHTS, export_adapter
from exporters.gguf import Quantization, export_base
from learner.parity import Both, Parity, Tolerance, check, compare, demand, served_logits, trained_logits
from learner.train.rows import Row, load_encoder, make_items
from learner.train.run import ADAPTER, load_trained, train
from tests.support.profiles import quick
from tests.support.tiny_bases import FAMILIES, examples, tiny_base, tiny_dataset

BASE = Path(__file__).parents[2] / "data" / "base"
PROFILE = quick(schedule={"epochs": 4, "learning_rate": 5e-3})


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
    bare = compare(Both(trained.bare, trained.bare), Both(served.bare, served.bare))
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
    right = exported(run, BASE, tmp_path)
    reader = gguf.GGUFReader(right)
    wrong = tmp_path / "wrong.gguf"
    writer = gguf.GGUFWriter(wrong, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    for tensor in reader.tensors:
        turned = tensor.name.endswith(("attn_q.weight.lora_b", "attn_k.weight.lora_b"))
        writer.add_tensor(tensor.name, np.ascontiguousarray(tensor.data[::-1]) if turned else tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    base = export_base(BASE, tmp_path / "base.gguf")
    with pytest.raises(ExportError, match="not what was trained"):
        check(
            load_trained(BASE, run, PROFILE),
            base,
            wrong,
            rows_of(BASE),
            Tolerance(distance=1.0, scale=1.0, residual=0.1),
        )


def test_another_runs_adapter_is_caught(run: Path, spoilt: Path, tmp_path: Path) -> None:
    tensors = load_file(spoilt / ADAPTER / WEIGHTS)
    rng = np.random.default_rng(1)
    mixed = {name: rng.permutation(values.ravel()).reshape(values.shape) for name, values in tensors.items()}
    save_file(mixed, spoilt / ADAPTER / WEIGHTS)
    base = export_base(BASE, tmp_path / "base.gguf")
    with pytest.raises(ExportError):
        check(load_trained(BASE, run, PROFILE), base, exported(spoilt, BASE, tmp_path), rows_of(BASE))


def test_the_arithmetic_tells_scale_from_noise() -> None:
    rng = np.random.default_rng(1)
    bare = rng.standard_normal((5, 9)).astype(np.float32)
    effect = rng.standard_normal((5, 9)).astype(np.float32)
    exact = compare(Both(bare, bare + effect), Both(bare, bare + effect))
    assert (exact.max_abs, exact.scale, exact.residual, exact.agreement) == (0, 1, 0, 1)
    half = compare(Both(bare, bare + effect), Both(bare, bare + effect / 2))
    assert half.scale == pytest.approx(0.5, abs=1e-5)
    assert half.residual == pytest.approx(0, abs=1e-3)
    other = compare(Both(bare, bare + effect), Both(bare, bare + effect[::-1]))
    assert other.residual > 0.5
    nothing = compare(Both(bare, bare + effect), Both(bare, bare))
    assert (nothing.scale, nothing.residual) == (0, 1)


@pytest.mark.parametrize(
    ("field", "value"), [("distance", 0.2), ("scale", 0.8), ("residual", 0.5), ("scale", float("nan"))]
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
