"""A tokenizer and a toy model of the base's own kind, made once."""

from __future__ import annotations

import pytest

from learner.base.__main__ import tokenizer_texts
from learner.base.circuit import initialise
from learner.base.model import Llama, ModelConfig
from learner.base.tokenize import Encoder, train_tokenizer

SIZE = ModelConfig(vocabulary=640, hidden=64, inner=96, layers=2, context=2048)


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return Encoder(train_tokenizer(tokenizer_texts(3, 60), SIZE.vocabulary))


@pytest.fixture
def toy() -> Llama:
    model = Llama(SIZE)
    initialise(model, seed=1)
    return model
