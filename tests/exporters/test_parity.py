"""The exported GGUF says what the trained model says: logits of torch and llama.cpp side by side."""

from __future__ import annotations

from pathlib import Path

import llama_cpp
import numpy as np
import pytest
import torch

from exporters.gguf import Quantization, export_base
from learner.base.cases import read_cases
from learner.base.tokenize import Encoder
from learner.base.weights import load_base

DATA = Path(__file__).parents[2] / "data"
BASE = DATA / "base"


@pytest.mark.parametrize(("quantization", "limit"), [("f16", 0.01), ("bf16", 0.06), ("q8_0", 0.06)])
def test_logits_are_the_same_within_rounding(
    tmp_path: Path, quantization: Quantization, limit: float
) -> None:
    """`limit` is a share of the largest logit: what the engine rounds (an f16 cache) grows with it."""
    model, encoder = load_base(BASE), Encoder.load(BASE)
    engine = llama_cpp.Llama(
        str(export_base(BASE, tmp_path / "base.gguf", quantization)),
        n_ctx=1024,
        n_threads=1,
        logits_all=True,
        verbose=False,
    )
    for case in read_cases(DATA / "eval" / "recipe.jsonl")[:4]:
        ids = encoder.prompt(case.persona, case.history, case.facts, case.player, case.line)
        with torch.no_grad():
            expected = model(torch.tensor(ids)).numpy()
        engine.reset()
        engine.eval(ids)
        difference = np.abs(np.asarray(engine.scores[: len(ids)]) - expected)
        assert difference.max() <= limit * np.abs(expected).max()
        if quantization == "f16":
            assert (np.asarray(engine.scores[: len(ids)]).argmax(1) == expected.argmax(1)).mean() > 0.99
