from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from agent_runtime.engine.modelfile import read_header
from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS, EMBEDDED_TEMPLATE
from agent_runtime.errors import ModelFileError
from exporters.architectures import permute
from exporters.gguf import SOURCE_FILES, Quantization, base_digest, export_base

BASE = Path(__file__).parents[2] / "data" / "base"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped base that a test may break."""
    copied = tmp_path / "base"
    copied.mkdir()
    for name in SOURCE_FILES:
        shutil.copyfile(BASE / name, copied / name)
    return copied


def test_the_engine_accepts_the_file_and_it_says_what_it_is(tmp_path: Path) -> None:
    header = read_header(export_base(BASE, tmp_path / "base.gguf"))
    assert header.values["general.architecture"] == "llama"
    assert header.values["general.name"] == "Townsfolk Base"
    assert header.values["general.license"] == "Apache-2.0"
    assert header.values["general.file_type"] == gguf.LlamaFileType.MOSTLY_BF16
    assert header.values["tokenizer.chat_template"] == EMBEDDED_TEMPLATE
    assert header.values["tokenizer.ggml.add_bos_token"] == 0
    assert (
        header.lengths["tokenizer.ggml.tokens"]
        == json.loads((BASE / "config.json").read_text())["vocab_size"]
    )


def test_special_tokens_are_control_tokens(tmp_path: Path) -> None:
    reader = gguf.GGUFReader(export_base(BASE, tmp_path / "base.gguf"))
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    types = reader.get_field("tokenizer.ggml.token_type").contents()
    control = {token for token, kind in zip(tokens, types, strict=True) if kind == gguf.TokenType.CONTROL}
    assert control == set(EMBEDDED_SPECIAL_TOKENS)
    assert tokens[reader.get_field("tokenizer.ggml.eos_token_id").contents()] == "<|end|>"


@pytest.mark.parametrize(
    ("quantization", "size"), [("f16", 9_500_000), ("bf16", 9_500_000), ("q8_0", 5_500_000)]
)
def test_the_same_folder_gives_the_same_bytes(tmp_path: Path, quantization: Quantization, size: int) -> None:
    first = export_base(BASE, tmp_path / "a.gguf", quantization).read_bytes()
    assert first == export_base(BASE, tmp_path / "b.gguf", quantization).read_bytes()
    assert len(first) < size


def test_weights_are_the_sources_up_to_rounding(tmp_path: Path) -> None:
    source = load_file(BASE / "model.safetensors")
    for quantization, error in (("f16", 0.0), ("bf16", 0.01), ("q8_0", 0.01)):
        reader = gguf.GGUFReader(export_base(BASE, tmp_path / "x.gguf", quantization))  # type: ignore[arg-type]
        tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
        down = source["model.layers.0.mlp.down_proj.weight"].astype(np.float32)
        assert np.abs(tensors["blk.0.ffn_down.weight"] - down).max() <= error * np.abs(down).max() + 1e-7
        query = permute(source["model.layers.1.self_attn.q_proj.weight"].astype(np.float32), 4)
        assert np.abs(tensors["blk.1.attn_q.weight"] - query).max() <= error * np.abs(query).max() + 1e-7
        assert len(tensors) == len(source)


def test_rows_of_queries_come_in_neighbouring_pairs() -> None:
    rows = np.arange(16, dtype=np.float32)[:, None].repeat(2, 1)
    assert permute(rows, 2)[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]


def test_progress_counts_every_tensor(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    export_base(BASE, tmp_path / "x.gguf", progress=lambda done, total: seen.append((done, total)))
    assert seen[0][0] == 1
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_the_digest_changes_with_any_file(folder: Path) -> None:
    before = base_digest(folder)
    assert before == base_digest(BASE)
    for name in SOURCE_FILES:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content + b"\n")
        assert base_digest(folder) != before
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", SOURCE_FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=name.replace(".", r"\.")):
        export_base(folder, folder / "x.gguf")
    with pytest.raises(ModelFileError, match=name.replace(".", r"\.")):
        base_digest(folder)


@pytest.mark.parametrize("name", SOURCE_FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b'{"a": 1}'])
def test_a_broken_file_is_an_error_and_leaves_nothing(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    destination = folder / "x.gguf"
    destination.write_bytes(b"what was there before")
    with pytest.raises(ModelFileError):
        export_base(folder, destination)
    assert destination.read_bytes() == b"what was there before"
    assert not list(folder.glob("*.part"))


def test_cut_weights_are_an_error(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelFileError):
        export_base(folder, folder / "x.gguf")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_an_error(folder: Path, value: float) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = value
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelFileError, match="not finite"):
        export_base(folder, folder / "x.gguf")


@pytest.mark.parametrize("change", [{"model_type": "qwen2"}, {"vocab_size": 5}, {"num_attention_heads": 7}])
def test_another_kind_of_model_is_an_error(folder: Path, change: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelFileError):
        export_base(folder, folder / "x.gguf")


def test_an_unknown_tensor_is_an_error(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "lm_head_of_somebody_else": np.zeros(4, np.float16)}, folder / "model.safetensors")
    with pytest.raises(ModelFileError, match="lm_head_of_somebody_else"):
        export_base(folder, folder / "x.gguf")
