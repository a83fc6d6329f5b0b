"""Small models that several tests of the engine talk to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.models import chain_model, random_model


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose reply depends on the whole prompt."""
    return random_model(tmp_path_factory.mktemp("models") / "noise.gguf")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that never stops by itself."""
    path = tmp_path_factory.mktemp("models") / "endless.gguf"
    return chain_model(path, [b"on", b"and "], context=4_096, endless=True)
