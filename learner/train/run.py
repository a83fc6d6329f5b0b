"""A dataset folder, a base's folder and a profile come in; a run folder with the adapter goes out.

The run folder holds `run.json` (what was asked), `metrics.jsonl`, `loss.png`, a checkpoint while it runs,
`adapter/` in PEFT's form, and `result.json`, which is written last. Asked again for a finished run, it
returns the result without training.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from safetensors.torch import save

from agent_runtime import files
from agent_runtime.errors import TrainingError
from exporters.gguf import base_digest
from learner.examples import Example, read_examples
from learner.train import checkpoint, loop
from learner.train.backends import Name, Trainable, backend_for, load_plain
from learner.train.log import draw
from learner.train.loop import Job, Progress
from learner.train.memory import loading
from learner.train.profiles import Profile
from learner.train.rows import load_encoder, make_items, some_judged

RESULT = "result.json"
ADAPTER = "adapter"
WEIGHTS = "adapter_model.safetensors"


class Trained(msgspec.Struct, frozen=True):
    """A finished run. `adapter_hash` is the sha256 of the adapter's weights, `base` the digest of the base's
    files, `data` of the examples; `reason` is `finished` or `time_budget`. Losses are by objective."""

    adapter: str
    adapter_hash: str
    base: str
    data: str
    profile: str
    backend: Name
    seed: int
    examples: int
    left_out: int
    steps: int
    tokens: int
    seconds: float
    peak_mb: float
    reason: str


def train(
    dataset: Path,
    base: Path,
    profile: Profile,
    folder: Path,
    *,
    seed: int = 1,
    backend: Name | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda text: None,
    save_every_s: float = 20.0,
) -> Trained:
    """Train a fresh adapter, or go on with the run that this folder holds.

    `dataset` has `train.jsonl` and, if there is one, `validation.jsonl`. `say` is told which backend trains,
    and why. Raises `TrainingError` with its reason; the run folder then keeps the metrics and their curve,
    and no adapter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen, why = backend_for(profile, backend)
    say(f"{chosen.name}: {why}")
    taught, checked = _read(dataset / "train.jsonl"), _read(dataset / "validation.jsonl", missing_ok=True)
    data = hashlib.sha256(msgspec.json.encode((taught, checked))).hexdigest()
    asked = {
        "base": base_digest(base),
        "data": data,
        "profile": msgspec.to_builtins(profile),
        "backend": chosen.name,
        "seed": seed,
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    before = _same_run(folder, key)
    if before is not None:
        return before
    _write(folder / "run.json", {"key": key, **asked})
    encoder = load_encoder(base)
    limit = min(profile.schedule.context, _context(base))
    items = some_judged(make_items(taught, encoder, limit, seed), profile.preference.most, seed)
    if not items:
        raise TrainingError(
            "no_data", f"{dataset}: none of {len(taught)} examples can be trained on; collect more ratings"
        )
    job = Job(items, make_items(checked, encoder, limit, seed), profile, seed, folder, key, save_every_s)
    trainable = chosen.load(base, profile, seed)
    try:
        done, reason = loop.run(trainable, job, progress)
    finally:  # the curve of a run that failed tells why
        draw(folder, f"{profile.name}, {chosen.name}, {len(items)} examples")
    _save_adapter(trainable, base, folder / ADAPTER)
    result = Trained(
        adapter=ADAPTER,
        adapter_hash=files.digest(folder / ADAPTER / WEIGHTS),
        base=asked["base"],
        data=data,
        profile=profile.name,
        backend=chosen.name,
        seed=seed,
        examples=len(items),
        left_out=len(taught) - len(items),
        steps=done.step,
        tokens=done.tokens,
        seconds=round(done.seconds, 2),
        peak_mb=round(done.peak_mb, 1),
        reason=reason,
    )
    _write(folder / RESULT, {"key": key, **msgspec.to_builtins(result)})
    (folder / checkpoint.FILE).unlink(missing_ok=True)
    del trainable
    gc.collect()
    return result


def load_trained(base: Path, folder: Path, profile: Profile) -> Trainable:
    """The unquantised base with a finished run's adapter, to compare an export with: the base that serves is
    not rounded as NF4 is. In float32; in bfloat16 where the profile is for bases that train in four bits, and
    that would not fit otherwise. Raises `TrainingError`: `backend`, or `out_of_memory`."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    dtype = torch.float32 if profile.quantization == "none" else torch.bfloat16
    trainable = load_plain(base, profile, 0, dtype)
    with loading(folder / ADAPTER):
        set_peft_model_state_dict(trainable.model, load_file(folder / ADAPTER / WEIGHTS))
    return trainable


def _read(path: Path, missing_ok: bool = False) -> list[Example]:
    if missing_ok and not path.exists():
        return []
    try:
        return list(read_examples(path))
    except (OSError, msgspec.DecodeError) as error:
        raise TrainingError("no_data", f"{path}: {error}; make the dataset anew") from error


def _context(base: Path) -> int:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"])


def _same_run(folder: Path, key: str) -> Trained | None:
    """The finished run of this key; `None` when it is to be done. Raises `TrainingError` (`other_run`)."""
    path = folder / "run.json"
    if not path.exists():
        return None
    if json.loads(path.read_text(encoding="utf-8"))["key"] != key:
        raise TrainingError(
            "other_run",
            f"{folder} holds a run with other examples or settings, or another base; give a new folder",
        )
    if not (folder / RESULT).exists():
        return None
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=Trained)


def _save_adapter(trainable: Trainable, base: Path, folder: Path) -> None:
    """PEFT's two files, without the paths and the dates of this machine."""
    from peft import get_peft_model_state_dict

    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    state = get_peft_model_state_dict(trainable.model, save_embedding_layers=False)
    tensors = {name: state[name].detach().float().cpu().contiguous() for name in sorted(state)}
    # By ourselves: what the libraries raise when the disk is full is no `OSError`.
    (part / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
    config = trainable.model.peft_config["default"]
    config.base_model_name_or_path = base.name
    config.inference_mode = True
    config.save_pretrained(str(part))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)


def _write(path: Path, content: object) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
