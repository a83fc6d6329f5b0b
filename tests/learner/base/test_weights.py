from __future__ import annotations

from pathlib import Path

import torch

from agent_runtime.engine.template import EMBEDDED_TEMPLATE
from exporters.gguf import SOURCE_FILES
from learner.base.circuit import initialise
from learner.base.model import Llama
from learner.base.tokenize import Encoder
from learner.base.weights import blend, load_base, save_base


def test_a_saved_model_is_the_same_model(toy: Llama, encoder: Encoder, tmp_path: Path) -> None:
    save_base(toy, encoder, tmp_path)
    ids = torch.arange(40)
    assert torch.allclose(load_base(tmp_path)(ids), toy(ids), atol=0.02)
    assert Encoder.load(tmp_path).reply("Hello, bob.") == encoder.reply("Hello, bob.")


def test_the_folder_holds_what_the_exporter_needs_and_no_rests(
    toy: Llama, encoder: Encoder, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    save_base(toy, encoder, folder)
    assert {path.name for path in folder.iterdir()} == set(SOURCE_FILES)
    assert EMBEDDED_TEMPLATE.replace("'", "") in (folder / "tokenizer_config.json").read_text().replace(
        "'", ""
    )


def test_saving_twice_gives_the_same_bytes(toy: Llama, encoder: Encoder, tmp_path: Path) -> None:
    save_base(toy, encoder, tmp_path / "a")
    save_base(toy, encoder, tmp_path / "b")
    for name in SOURCE_FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_blend_lies_between(toy: Llama) -> None:
    other, blended = Llama(toy.config), Llama(toy.config)
    initialise(other, seed=2)
    blended.load_state_dict(toy.state_dict())
    blend(blended, other, 0.25)
    for new, start, mixed in zip(toy.parameters(), other.parameters(), blended.parameters(), strict=True):
        assert torch.allclose(mixed, 0.75 * new + 0.25 * start, atol=1e-6)
