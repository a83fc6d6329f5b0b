from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from agent_runtime.errors import ModelFileError, TrainingError
from learner.train.memory import is_out_of_memory, loading, out_of_memory

FULL = (
    MemoryError(),
    torch.OutOfMemoryError("Allocation on device"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
)


@pytest.mark.parametrize("error", FULL, ids=repr)
def test_memory_that_cannot_be_had_is_known_by_what_is_said(error: Exception) -> None:
    assert is_out_of_memory(error)
    told = r"^out of memory: .+; take a smaller base"
    with pytest.raises(TrainingError, match=told) as caught, loading(Path("base")):
        raise error
    assert caught.value.reason == "out_of_memory"


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: device-side assert triggered"), OSError(errno.ENOSPC, "full")]
)
def test_all_else_is_no_lack_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)
    told = r"^base cannot be loaded: .*learn\.backend"
    with pytest.raises(TrainingError, match=told) as caught, loading(Path("base")):
        raise error
    assert caught.value.reason == "backend"


def test_an_error_of_ours_says_enough() -> None:
    with pytest.raises(ModelFileError, match=r"^broken$"), loading(Path("base")):
        raise ModelFileError("broken")


def test_an_error_without_a_word_has_a_name() -> None:
    assert str(out_of_memory(MemoryError(), "wait")) == "out of memory: MemoryError(); wait"
