"""From a path to a model that is ready to speak."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.engine.loading import Limits, load
from agent_runtime.engine.template import EMBEDDED_TEMPLATE
from agent_runtime.errors import ModelFileError
from tests.support.models import random_model


def test_the_context_is_the_models_own_unless_less_is_asked_for(tmp_path: Path) -> None:
    path = random_model(tmp_path / "m.gguf", context=512)
    for asked, context in ((0, 512), (300, 300), (9_999, 512)):
        loaded = load(path, Limits(threads=1, slots=4, context=asked))
        assert loaded.info.context == context
        assert loaded.cells >= 4 * context
        loaded.model.close()


def test_a_huge_context_is_not_taken_unasked(tmp_path: Path) -> None:
    loaded = load(random_model(tmp_path / "m.gguf", context=131_072), Limits(threads=1, slots=2, context=0))
    assert loaded.info.context == loaded.cells == 4_096
    loaded.model.close()


def test_more_slots_than_the_library_has_sequences_are_cut(tmp_path: Path) -> None:
    loaded = load(random_model(tmp_path / "m.gguf", context=64), Limits(threads=1, slots=256, context=0))
    assert 100 < loaded.slots < 256
    assert loaded.prefixes > 0
    loaded.model.close()


def test_a_model_without_a_usable_chat_template_is_refused(tmp_path: Path) -> None:
    path = random_model(tmp_path / "m.gguf")
    template = EMBEDDED_TEMPLATE.encode()
    data = path.read_bytes()
    assert data.count(template) == 1
    path.write_bytes(data.replace(b"tokenizer.chat_template", b"tokenizer.that_template"))
    with pytest.raises(ModelFileError, match="no chat template; choose a model made for chat"):
        load(path, Limits(1, 1, 0))
    path.write_bytes(data.replace(template, b"{% for %}" + b" " * (len(template) - 9)))
    with pytest.raises(ModelFileError, match="chat template cannot be read"):
        load(path, Limits(1, 1, 0))
