"""What a library raised comes in; whether memory ran out, and a `TrainingError` with what to do, go out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from agent_runtime.errors import TownsfolkError, TrainingError

# torch names few of them by a type: CUDA's and cuBLAS's own come as `RuntimeError` or `AcceleratorError`.
_SAID = ("out of memory", "alloc_failed", "allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, the machine's or the GPU's."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(said in str(error).lower() for said in _SAID)


def out_of_memory(error: BaseException | str, cure: str) -> TrainingError:
    """`out_of_memory`, with the first line of what was said."""
    what = str(error).partition("\n")[0] or repr(error)
    return TrainingError("out_of_memory", f"out of memory: {what}; {cure}")


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Around what loads weights. Raises `TrainingError`: `out_of_memory`, and `backend` for all else that the
    libraries raise."""
    try:
        yield
    except TownsfolkError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            cure = "take a smaller base, or a machine with more memory"
            raise out_of_memory(error, cure) from error
        raise TrainingError(
            "backend",
            f"{folder} cannot be loaded: {error!r}; make it anew, or choose another learn.backend",
        ) from error
