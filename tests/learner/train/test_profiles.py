from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from learner.train.profiles import FOLDER, NOT_EXPORTABLE, profile_of, read_profile

BASE = Path(__file__).parents[3] / "data" / "base"
EMBEDDED = (FOLDER / "embedded.toml").read_text()
TARGETS = next(line for line in EMBEDDED.splitlines() if line.startswith("targets"))


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_profile_can_be_read(path: Path) -> None:
    assert read_profile(path).name == path.stem


def test_the_recipe_for_gpt_oss() -> None:
    profile = read_profile(FOLDER / "gpt-oss-20b.toml")
    assert profile.quantization == "nf4"
    assert (profile.lora.r, profile.lora.alpha, profile.lora.dropout) == (8, 16, 0.1)
    assert profile.lora.layers == (19, 23)
    schedule = profile.schedule
    assert (schedule.learning_rate, schedule.warmup, schedule.clip) == (5e-5, 0.05, 0.3)
    assert (schedule.batch, schedule.accumulate) == (2, 8)
    assert set(profile.lora.targets) == {"q_proj", "k_proj", "v_proj", "o_proj"}


def base_of(folder: Path, model_type: str, millions: float = 1) -> Path:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(int(millions * 2e6))
    return folder


def test_a_base_finds_its_profile(tmp_path: Path) -> None:
    assert profile_of(BASE).name == "embedded"
    assert profile_of(base_of(tmp_path, "qwen3", 600)).name == "qwen3"
    assert profile_of(base_of(tmp_path, "gpt_oss", 7000)).name == "gpt-oss-20b"
    with pytest.raises(ConfigError, match="no profile"):
        profile_of(base_of(tmp_path, "mamba"))
    with pytest.raises(ConfigError, match="llama of 8000M"):
        profile_of(base_of(tmp_path, "llama", 8000))
    with pytest.raises(ConfigError, match="not a base model's folder"):
        profile_of(tmp_path / "nowhere")


@pytest.mark.parametrize("key", sorted(NOT_EXPORTABLE))
def test_what_cannot_be_exported_is_refused_when_it_is_read(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"lora.{key} is refused"):
        read_profile(written(tmp_path, EMBEDDED.replace("r = 8", f"r = 8\n{key} = true")))


def test_all_unknown_keys_are_named_at_once(tmp_path: Path) -> None:
    text = "colour = 3\n" + EMBEDDED.replace("r = 8", "rank = 8").replace("epochs", "epoches")
    with pytest.raises(ConfigError) as caught:
        read_profile(written(tmp_path, text))
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "colour is unknown" in text
    assert "lora.rank is unknown; one of alpha, dropout, layers, r, targets" in text
    assert "schedule.epoches" in text


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("r = 8", "r = 0", "lora.r is 0"),
        ("r = 8", 'r = "8"', "Expected `int`"),
        ("dropout = 0.0", "dropout = nan", "lora.dropout is nan"),
        ("epochs = 12", "", "epochs"),
        ("epochs = 12", "epochs = 0", "schedule.epochs is 0"),
        ('"q_proj", "k_proj"', '"q_proj", "lm_head"', "lm_head"),
        (TARGETS, "targets = []", "lora.targets is empty"),
        ('"o_proj"', '"experts"', "experts"),
        ('model_types = ["llama"]', 'model_types = ["gpt_oss"]', "'down_proj'; only k_proj, o_proj"),
        ("r = 8", "r = 8\nlayers = [3, 1]", "lora.layers"),
        ('quantization = "none"', 'quantization = "int3"', "quantization"),
        ("[lora]", "[lora", "mine.toml"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert old in EMBEDDED
    with pytest.raises(ConfigError) as caught:
        read_profile(written(tmp_path, EMBEDDED.replace(old, new)))
    assert what in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_profile(tmp_path / "nowhere.toml")
