"""Merged copies: each weight is the base's plus the adapter's, everything else stays."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from agent_runtime.engine import modelfile
from agent_runtime.engine.adapterfile import check
from agent_runtime.engine.merge import write_merged
from tests.support.adapters import random_adapter
from tests.support.models import quantized, random_model


def _weights(path: Path) -> dict[str, NDArray[np.float32]]:
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in gguf.GGUFReader(path).tensors
    }


@pytest.mark.parametrize("coarse", [False, True])
def test_only_the_adapted_matrices_change_and_by_the_right_amount(tmp_path: Path, coarse: bool) -> None:
    base = random_model(tmp_path / "base.gguf")
    if coarse:
        base = quantized(base, tmp_path / "q8_0.gguf")
    header = modelfile.read_header(base)
    adapter = check(random_adapter(tmp_path / "a.gguf", base), header)
    write_merged(base, adapter, 0.5, tmp_path / "merged.gguf")
    merged = modelfile.read_header(tmp_path / "merged.gguf")
    assert (merged.values, merged.lengths) == (header.values, header.lengths)
    assert {name: tensor.kind for name, tensor in merged.tensors.items()} == {
        name: tensor.kind for name, tensor in header.tensors.items()
    }
    before, after = _weights(base), _weights(tmp_path / "merged.gguf")
    deltas = {name: adapter.delta(name) for name in adapter.matrices}
    for name, weights in before.items():
        expected = weights + deltas[name] / 2 if name in deltas else weights
        # Q8_0 rounds to a 254th of the largest weight of a block.
        rounding = np.abs(expected).max() / 254 * 1.01 if coarse and name in deltas else 1e-6
        np.testing.assert_allclose(after[name], expected, rtol=0, atol=rounding)
