from __future__ import annotations

import pytest
import torch

from learner.base.circuit import initialise
from learner.base.model import Llama
from learner.base.recipes import Recipe, for_device, large, small

LARGEST = 32_000_000  # bytes of all that is shipped of a base
TOKENIZER = 400_000


@pytest.mark.parametrize("recipe", [small(), large()])
def test_weights_fit_into_what_may_be_shipped(recipe: Recipe) -> None:
    config = recipe.config
    model = Llama(config)
    initialise(model, 1)
    parameters = sum(weight.numel() for weight in model.parameters())
    assert 2 * parameters + TOKENIZER < LARGEST
    assert config.hidden % 32 == config.inner % 32 == 0


def test_a_gpu_is_used_where_there_is_one() -> None:
    assert for_device("cuda") == large()
    assert for_device("cpu") == small()
    assert for_device().schedule.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert large().schedule.workers >= 1
