"""What the installed llama-cpp-python was compiled for. Nothing is loaded here but the library itself."""

from __future__ import annotations

from dataclasses import dataclass

import llama_cpp


@dataclass(frozen=True, slots=True)
class Build:
    """The package's version, the processor features in use, and whether layers can go to a GPU."""

    version: str
    features: tuple[str, ...]
    gpu: bool


def build() -> Build:
    """The build that is installed here."""
    # Such as `CPU : AVX2 = 1 | FMA = 1 | OPENMP = 1 | `, one stretch for each kind of device.
    told = llama_cpp.llama_print_system_info().decode("utf-8", "replace").replace(" : ", " | ")
    marks = [part.strip().removesuffix(" = 1") for part in told.split("|")]
    features = tuple(mark for mark in marks if mark and "=" not in mark)
    return Build(llama_cpp.__version__, features, bool(llama_cpp.llama_supports_gpu_offload()))
