from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from benchmarks.gpu import SHAPES
from learner.train.profiles import FOLDER, read_profile


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "needs a CUDA GPU" in done.stdout


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_trained_by_the_profile_of_its_family(name: str) -> None:
    _, profile, _ = SHAPES[name]
    assert read_profile(FOLDER / f"{profile}.toml").quantization == "nf4"
