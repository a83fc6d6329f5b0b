from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from agent_runtime.engine import adapterfile, ggufheader, modelfile
from agent_runtime.errors import ExportError
from exporters.adapter import CONFIG, WEIGHTS, Served, export_adapter, read_adapter
from exporters.architectures import permute
from exporters.gguf import base_digest, export_base

BASE = Path(__file__).parents[2] / "data" / "base"
SIZE, RANK = 256, 4
PREFIX = "base_model.model.model.layers.1.self_attn"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapter in PEFT's form for the shipped base."""
    made = tmp_path / "adapter"
    made.mkdir()
    rng = np.random.default_rng(3)
    tensors = {}
    for name in ("q_proj", "v_proj"):
        tensors[f"{PREFIX}.{name}.lora_A.weight"] = rng.standard_normal((RANK, SIZE)).astype(np.float32)
        tensors[f"{PREFIX}.{name}.lora_B.weight"] = rng.standard_normal((SIZE, RANK)).astype(np.float32)
    save_file(tensors, made / WEIGHTS)
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 12, "bias": "none", "use_rslora": False}
    (made / CONFIG).write_text(json.dumps(config))
    return made


def change(folder: Path, **settings: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **settings}))


def test_the_engine_accepts_the_file_and_it_says_what_it_is(folder: Path, tmp_path: Path) -> None:
    base = export_base(BASE, tmp_path / "base.gguf")
    served = Served.read(base, modelfile.digest(base))
    made = export_adapter(folder, BASE, tmp_path / "a.gguf", version="3", served=served)
    adapter = adapterfile.check(made.path, modelfile.read_header(base))
    assert adapter.digest == made.digest
    assert adapter.alpha == 12
    assert set(adapter.matrices) == {"blk.1.attn_q.weight", "blk.1.attn_v.weight"}
    values = adapter.header.values
    assert values["general.type"] == "adapter"
    assert values["adapter.type"] == "lora"
    assert values["general.architecture"] == "llama"
    assert values["general.version"] == "3"
    assert values["general.name"] == "Townsfolk Base LoRA"
    assert values["general.license"] == "Apache-2.0"
    assert values["general.base_model.0.name"] == "Townsfolk Base"
    assert values["townsfolk.base.sha256"] == served.digest
    assert values["townsfolk.base.files"] == base_digest(BASE)
    assert values["townsfolk.adapter.sha256"] == read_adapter(folder).digest
    assert made.proper_name == "Townsfolk-Base-v3-F16-LoRA.gguf"
    assert made.size == made.path.stat().st_size


def served_with(path: Path, **told: str) -> Served:
    """A GGUF that says this of itself."""
    writer = gguf.GGUFWriter(path, "qwen3")
    for key, value in told.items():
        writer.add_string(f"general.{key}", value)
    writer.add_tensor("output_norm.weight", np.ones(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Served.read(path, "0" * 64)


def test_an_adapter_is_called_after_its_base(folder: Path, tmp_path: Path) -> None:
    served = served_with(tmp_path / "other.gguf", name="Qwen3 4B Instruct", license="mit")
    made = export_adapter(folder, BASE, tmp_path / "a.gguf", version="3", served=served)
    values = ggufheader.read(made.path).values
    assert values["general.name"] == "Qwen3 4B Instruct LoRA"
    assert values["general.base_model.0.name"] == "Qwen3 4B Instruct"
    assert values["general.license"] == "mit"
    assert made.proper_name == "Qwen3-4B-Instruct-v3-F16-LoRA.gguf"


def test_what_a_base_does_not_tell_is_not_told_of_its_adapter(folder: Path, tmp_path: Path) -> None:
    for served in (served_with(tmp_path / "nameless.gguf"), Served()):
        made = export_adapter(folder, BASE, tmp_path / "a.gguf", version="3", served=served)
        values = ggufheader.read(made.path).values
        assert values["general.name"] == "LoRA"
        assert "general.license" not in values
        assert not [key for key in values if key.startswith("general.base_model")]
        assert values.get("townsfolk.base.sha256", "") == served.digest
        assert made.proper_name == "adapter-v3-F16-LoRA.gguf"


def test_rows_of_queries_are_ordered_like_the_bases(folder: Path, tmp_path: Path) -> None:
    source = load_file(folder / WEIGHTS)
    made = export_adapter(folder, BASE, tmp_path / "a.gguf", version="1", encoding="f32")
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(made.path).tensors}
    query, value = (source[f"{PREFIX}.{name}.lora_B.weight"] for name in ("q_proj", "v_proj"))
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_b"], permute(query, 4))
    assert np.array_equal(tensors["blk.1.attn_v.weight.lora_b"], value)
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_a"], source[f"{PREFIX}.q_proj.lora_A.weight"])


def test_the_same_adapter_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")
    assert first.digest == export_adapter(folder, BASE, tmp_path / "b.gguf", version="1").digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_rslora", True),
        ("use_dora", True),
        ("modules_to_save", ["lm_head"]),
        ("bias", "all"),
        ("rank_pattern", {"q_proj": 4}),
        ("alpha_pattern", {"q_proj": 4}),
        ("peft_type", "LOHA"),
        ("trainable_token_indices", [3]),
    ],
)
def test_what_a_gguf_cannot_hold_is_refused(folder: Path, tmp_path: Path, key: str, value: object) -> None:
    change(folder, **{key: value})
    with pytest.raises(ExportError, match=key):
        export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")
    assert not list(tmp_path.glob("a.gguf*"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(folder: Path, tmp_path: Path, value: float) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[f"{PREFIX}.v_proj.lora_B.weight"][3, 1] = value
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ExportError, match="not finite"):
        export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")


def test_weights_too_large_for_the_encoding_are_refused(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors[f"{PREFIX}.v_proj.lora_B.weight"][3, 1] = 1e6
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ExportError, match="f32"):
        export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")
    export_adapter(folder, BASE, tmp_path / "a.gguf", version="1", encoding="f32")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (f"{PREFIX}.v_proj.lora_B.weight", None),
        (f"{PREFIX}.v_proj.lora_A.weight", (RANK + 1, SIZE)),
        (f"{PREFIX}.v_proj.lora_magnitude_vector", (SIZE,)),
        ("base_model.model.lm_head.weight", (3, 3)),
        (f"{PREFIX}.w_proj.lora_A.weight", (RANK, SIZE)),
    ],
)
def test_tensors_that_do_not_belong_are_refused(
    folder: Path, tmp_path: Path, name: str, shape: tuple[int, ...] | None
) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors.pop(name, None)
    if shape:
        tensors[name] = np.zeros(shape, np.float32)
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ExportError):
        export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\xfe"])
def test_a_broken_folder_is_an_error_and_leaves_what_was_there(
    folder: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    (tmp_path / "a.gguf").write_bytes(b"before")
    with pytest.raises(ExportError):
        export_adapter(folder, BASE, tmp_path / "a.gguf", version="1")
    assert (tmp_path / "a.gguf").read_bytes() == b"before"
