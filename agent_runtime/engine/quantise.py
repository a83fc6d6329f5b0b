"""A GGUF comes in; the same model with its weights rounded goes out, as a file."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp

from agent_runtime.engine.llama import listen
from agent_runtime.errors import ModelFileError

KINDS = {
    "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "q6_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
    "q5_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}
"""What weights can be rounded to, by llama.cpp's names."""


def quantise(source: Path, target: Path, kind: str) -> None:
    """Write a GGUF of sixteen bits a weight or more once more, rounded to this one of `KINDS`; matrices whose
    rows do not fit it become what comes next to it. Raises `ModelFileError`.

    `source` must have passed `modelfile.read_header`: the library may abort the process otherwise."""
    complaints = listen()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = KINDS[kind]
    paths = (str(source).encode(), str(target).encode())
    if llama_cpp.llama_model_quantize(*paths, ctypes.byref(parameters)):
        raise ModelFileError(f"{source}: it cannot be rounded to {kind}: {complaints.reason()}")
