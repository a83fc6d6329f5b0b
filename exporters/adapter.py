"""A LoRA adapter in PEFT's form comes in; a GGUF adapter goes out.

Needs numpy and `gguf`, never torch. What a GGUF adapter cannot hold is refused with `ExportError`; the
destination is either the whole new file or what it was before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf.utility import naming_convention
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from agent_runtime import files
from agent_runtime.engine import ggufheader
from agent_runtime.errors import ExportError
from exporters.architectures import architecture_of, read_config, served_name, served_rows
from exporters.gguf import base_digest, replacing

Encoding = Literal["f16", "f32"]
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_TENSOR = re.compile(r"base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight")
# Settings of PEFT whose effect has no place in a GGUF adapter, with the values that have none.
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "use_rslora": (False, None),
    "use_dora": (False, None),
    "use_qalora": (False, None),
    "bias": ("none", None),
    "lora_bias": (False, None),
    "modules_to_save": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "layer_replication": (None, []),
    "fan_in_fan_out": (False, None),
    "init_lora_weights": (True, "gaussian", None),
}
_FILE_TYPES = {"f16": gguf.LlamaFileType.MOSTLY_F16, "f32": gguf.LlamaFileType.ALL_F32}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A checked adapter: pairs of A (rank, columns) and B (rows, rank) by the base's weight they change."""

    alpha: float
    rank: int
    pairs: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    digest: str


@dataclass(frozen=True, slots=True)
class Served:
    """The GGUF an adapter is for: its sha256, and what it tells of itself; what is not known is empty."""

    digest: str = ""
    name: str = ""
    license: str = ""

    @classmethod
    def read(cls, path: Path, digest: str) -> Served:
        """Look into the file, whose sha256 is known. Raises `ModelFileError`."""
        values = ggufheader.read(path).values
        return cls(digest, str(values.get("general.name", "")), str(values.get("general.license", "")))


@dataclass(frozen=True, slots=True)
class Exported:
    """A written file: its sha256 and size in bytes, and its name by GGUF's naming convention."""

    path: Path
    digest: str
    size: int
    proper_name: str


def read_adapter(folder: Path) -> Adapter:
    """Read and check a folder of PEFT's. Raises `ExportError`."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        raw = (folder / WEIGHTS).read_bytes()
        tensors = load_file(folder / WEIGHTS)
        alpha, rank = float(config["lora_alpha"]), int(config["r"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ExportError(
            f"{folder}: not a LoRA adapter in PEFT's form ({error!r}); train it again"
        ) from error
    for key, plain in _PLAIN.items():
        if config.get(key, plain[0]) not in plain:
            raise ExportError(
                f"{folder}: trained with {key} = {config[key]!r}, which a GGUF adapter cannot hold; "
                "train with plain LoRA"
            )
    if not (np.isfinite(alpha) and alpha > 0 and rank > 0):
        raise ExportError(f"{folder}: lora_alpha {alpha} and r {rank} make no scale; train it again")
    return Adapter(alpha, rank, _pairs(folder, tensors, rank), hashlib.sha256(raw).hexdigest())


def _pairs(
    folder: Path, tensors: Mapping[str, NDArray[Any]], rank: int
) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    halves: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name in sorted(tensors):
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise ExportError(f"{folder}: {name} has no place in a GGUF adapter; train with plain LoRA")
        values = np.asarray(tensors[name], dtype=np.float32)
        if not np.isfinite(values).all():
            raise ExportError(f"{folder}: {name} holds values that are not finite; train it again")
        halves.setdefault(match[1], {})[match[2]] = values
    if not halves:
        raise ExportError(f"{folder}: the adapter is empty; train it again")
    for name, pair in halves.items():
        a, b = pair.get("A"), pair.get("B")
        if a is None or b is None or a.shape[:1] != (rank,) or b.shape[1:] != (rank,):
            raise ExportError(f"{folder}: {name} has not both halves of rank {rank}; train it again")
    return {f"{name}.weight": (pair["A"], pair["B"]) for name, pair in halves.items()}


def export_adapter(
    folder: Path,
    base: Path,
    destination: Path,
    *,
    version: str,
    served: Served = Served(),
    encoding: Encoding = "f16",
) -> Exported:
    """Write the GGUF adapter for the base in the folder `base`, which is served as `served`.

    Raises `ExportError`, and `ModelFileError` for a broken base folder.
    """
    adapter = read_adapter(folder)
    config = read_config(base)
    try:
        architecture = architecture_of(config)
    except (KeyError, ValueError) as error:
        raise ExportError(f"{base}: adapters for it cannot be exported ({error})") from error
    with replacing(destination) as temporary:
        writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[architecture])
        try:
            _add_metadata(writer, adapter, served, version, encoding)
            writer.add_string("townsfolk.base.files", base_digest(base))
            writer.add_string("townsfolk.base.sha256", served.digest)
            kind = np.float16 if encoding == "f16" else np.float32
            for name, (a, b) in adapter.pairs.items():
                target = served_name(name, config)
                if target is None:
                    raise ExportError(f"{folder}: {name} is no weight of {config['model_type']}")
                b = served_rows(name, b, config)
                for half, values in (("a", a), ("b", b)):
                    with np.errstate(over="ignore"):
                        small = values.astype(kind)
                    if not np.isfinite(small).all():
                        raise ExportError(f"{folder}: {name} does not fit into {encoding}; use f32")
                    writer.add_tensor(f"{target}.lora_{half}", small)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
    return _exported(destination, served.name, version, encoding)


def _add_metadata(
    writer: gguf.GGUFWriter, adapter: Adapter, served: Served, version: str, encoding: Encoding
) -> None:
    """The writer leaves out what is empty."""
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name(f"{served.name} LoRA".strip())
    writer.add_version(version)
    writer.add_finetune("LoRA")
    writer.add_license(served.license)
    writer.add_description("What the characters of one server learned from their players' ratings.")
    writer.add_file_type(_FILE_TYPES[encoding])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if served.name:
        writer.add_base_model_count(1)
        writer.add_base_model_name(0, served.name)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, adapter.alpha)
    writer.add_string("townsfolk.adapter.sha256", adapter.digest)


def _exported(path: Path, base_name: str, version: str, encoding: Encoding) -> Exported:
    name = naming_convention(None, base_name or "adapter", None, f"v{version}", None, encoding, "LoRA")
    return Exported(path, files.digest(path), path.stat().st_size, f"{name}.gguf")
