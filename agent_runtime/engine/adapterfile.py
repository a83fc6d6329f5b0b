"""A LoRA adapter's file: a path and its base's header come in, the checked adapter goes out.

Whatever would make the engine library fail, or answer with noise, is refused here with `AdapterError` and
the reason: another base, a wrong shape, weights that are no numbers, a file that is cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent_runtime.engine import ggufheader, modelfile
from agent_runtime.engine.ggufheader import FLOAT32, Header, Tensor
from agent_runtime.errors import AdapterError, ModelFileError

_F32, _F16, _BF16 = 0, 1, 30
_MAX_RANK = 1024


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA that fits its base. `matrices` names the base's tensors it changes; `size` is in bytes."""

    path: Path
    digest: str
    size: int
    alpha: float
    matrices: tuple[str, ...]
    header: Header

    def delta(self, name: str) -> NDArray[np.float32]:
        """What is added to this matrix of the base at scale 1, rows by columns: α/r · B·A."""
        a = _weights(self.path, self.header.tensors[f"{name}.lora_a"])
        b = _weights(self.path, self.header.tensors[f"{name}.lora_b"])
        return (b @ a) * np.float32(self.alpha / a.shape[0])


def check(path: Path, base: Header) -> Adapter:
    """Read and check the adapter for a base. Raises `AdapterError`."""
    try:
        header = ggufheader.read(path)
        digest = modelfile.digest(path)
        matrices = tuple(_matrices(header, base))
        adapter = Adapter(path, digest, path.stat().st_size, _alpha(header), matrices, header)
        for name, tensor in header.tensors.items():
            if not np.isfinite(_weights(path, tensor)).all():
                raise _Unfit(f"{name} holds values that are no numbers (NaN or infinite)")
    except ModelFileError as error:
        raise AdapterError(str(error)) from error
    except OSError as error:
        raise AdapterError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _Unfit as error:
        raise AdapterError(f"{path}: {error}; train or export it again for this base") from error
    return adapter


class _Unfit(Exception):
    pass


def _matrices(header: Header, base: Header) -> Iterator[str]:
    values = header.values
    if values.get("general.type") != "adapter" or values.get("adapter.type") != "lora":
        raise _Unfit("not a LoRA adapter")
    if any("alora" in key for key in (*values, *header.lengths)):
        raise _Unfit("an adapter that wakes on certain tokens cannot be served")
    architecture, wanted = values.get("general.architecture"), base.values.get("general.architecture")
    if architecture != wanted:
        raise _Unfit(f"made for the architecture {architecture!r}, and the base is {wanted!r}")
    names = dict.fromkeys(name.removesuffix(".lora_a").removesuffix(".lora_b") for name in header.tensors)
    if not names:
        raise _Unfit("it changes nothing")
    for name in names:
        _check_pair(name, header.tensors, base.tensors.get(name))
        yield name


def _check_pair(name: str, tensors: dict[str, Tensor], target: Tensor | None) -> None:
    a, b = tensors.get(f"{name}.lora_a"), tensors.get(f"{name}.lora_b")
    if a is None or b is None:
        raise _Unfit(f"{name} has not both halves (lora_a and lora_b)")
    # The embedding's halves lie the other way round, and no training of ours makes them.
    if target is None or len(target.shape) != 2 or name == "token_embd.weight":
        raise _Unfit(f"{name} is no matrix of the base that can be adapted")
    for tensor in (a, b):
        if tensor.kind not in (_F32, _F16, _BF16):
            raise _Unfit(f"{name} is quantised; adapters come in f32, f16 or bf16")
    rank = a.shape[1] if len(a.shape) == 2 else 0
    if not 0 < rank <= _MAX_RANK or a.shape != (target.shape[0], rank) or b.shape != (rank, target.shape[1]):
        raise _Unfit(f"{name} has the shapes {a.shape} and {b.shape}, and the base's is {target.shape}")


def _alpha(header: Header) -> float:
    alpha = header.values.get("adapter.lora.alpha")
    if not isinstance(alpha, float) or not isfinite(alpha) or alpha <= 0:
        raise _Unfit(f"adapter.lora.alpha is {alpha!r}")
    if header.kinds["adapter.lora.alpha"] != FLOAT32:  # on another type the library aborts
        raise _Unfit("adapter.lora.alpha is no 32-bit float")
    return alpha


def _weights(path: Path, tensor: Tensor) -> NDArray[np.float32]:
    """One tensor as rows by columns."""
    shape = tensor.shape[::-1]
    if tensor.kind == _BF16:
        halves = np.memmap(path, np.uint16, "r", tensor.offset, shape)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    kind = np.float32 if tensor.kind == _F32 else np.float16
    return np.memmap(path, kind, "r", tensor.offset, shape).astype(np.float32, copy=False)
