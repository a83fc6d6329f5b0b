"""QLoRA on a CUDA GPU: the backends unsloth and peft side by side on a random-weight Qwen3 of 1.7 billion
parameters, and the shape of gpt-oss-20b; and the first steps of `make base`. Tokens a second and peak memory
come out, in `results/gpu.json`.

Each backend runs in a process of its own: unsloth patches other libraries when it is imported. What a backend
cannot hold or load is printed with its reason and is absent from the file. Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers

from benchmarks.figures import Figure, machine, report
from learner.base.recipes import large
from learner.base.tokenize import Encoder
from learner.base.train import train
from learner.train.backends import BACKENDS, Trainable
from learner.train.loop import update
from learner.train.losses import Objectives, mean_sizes, mean_weights
from learner.train.profiles import FOLDER, Profile, Schedule, read_profile
from learner.train.rows import Item, Row

SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "1p7b": (
        "Qwen3",
        "qwen3",
        {
            "vocab_size": 32_000,
            "hidden_size": 2048,
            "intermediate_size": 6144,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": True,
        },
    ),
    "gpt_oss_20b": ("GptOss", "gpt-oss-20b", {}),  # the library's default sizes are those of the 20b
}
EMBEDDED = "embedded"
SHIPPED = Path(__file__).resolve().parents[1] / "data" / "base"
BASE_TOKENS = 20_000_000  # the log has whole seconds
REPLY = 512
"""Tokens of each row that are learned: more than replies have."""
WARMUP, STEPS = 2, 8
GOAL_GIB = {"gpt_oss_20b": "<=24"}


def make_base(name: str, folder: Path) -> Path:
    """Random weights in bf16, with a config that names no token."""
    family, _, sizes = SHAPES[name]
    config = getattr(transformers, f"{family}Config")(**sizes, dtype=torch.bfloat16)
    torch.manual_seed(1)
    with torch.device("cuda" if name == "1p7b" else "cpu"):
        model = getattr(transformers, f"{family}ForCausalLM")(config).to(torch.bfloat16)
    model.save_pretrained(folder, max_shard_size="2GB")
    return folder


def measure(backend: str, name: str, base: Path) -> dict[str, float]:
    """Tokens a second (median of `STEPS` steps) and the peak of GPU memory in GiB, in this process."""
    profile = read_profile(FOLDER / f"{SHAPES[name][1]}.toml")
    trainable = BACKENDS[backend].load(base, profile, seed=1)  # type: ignore[index]
    items = largest_batch(profile.schedule, trainable.model.get_base_model().config.vocab_size)
    took = timed(trainable, profile, items)
    tokens = sum(item.tokens for item in items)
    return {"tokens_per_s": tokens / median(took), "peak_gib": torch.cuda.max_memory_allocated() / 2**30}


def largest_batch(schedule: Schedule, words: int) -> list[Item]:
    """Replies to imitate that fill a batch of this schedule, of chance tokens from so many."""
    length = schedule.context
    count = max(1, min(schedule.batch, schedule.batch_tokens // length))
    rng = random.Random(1)
    prompt = max(length - REPLY, length // 2)
    rows = [Row(tuple(rng.choices(range(words), k=length)), prompt) for _ in range(count)]
    return [Item("sft", (row,), weight=1.0) for row in rows]


def timed(trainable: Trainable, profile: Profile, items: Sequence[Item]) -> list[float]:
    """Seconds of each of `STEPS` training steps of one batch."""
    numbers = list(range(len(items)))
    known = dict.fromkeys(numbers, (0.0,))
    objectives = Objectives(
        items, profile.preference, known, mean_weights(items), mean_sizes(items, [numbers])
    )
    rate, clip = profile.schedule.learning_rate, profile.schedule.clip
    optimizer = torch.optim.AdamW(trainable.weights, lr=rate, weight_decay=0.0)
    took = []
    for _ in range(WARMUP + STEPS):
        began = time.perf_counter()
        update(trainable, optimizer, objectives, [numbers], rate, clip)
        if trainable.device.type == "cuda":
            torch.cuda.synchronize()
        took.append(time.perf_counter() - began)
    return took[WARMUP:]


def side_by_side(name: str) -> list[Figure]:
    """Both backends on one shape; what fails says why."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        base = make_base(name, Path(folder))
        torch.cuda.empty_cache()
        for backend in ("unsloth", "peft"):
            command = [sys.executable, "-m", "benchmarks.gpu", "--one", backend, name, str(base)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
                print(f"{backend} on {name}: not measured: {reason}")
                continue
            row = json.loads(done.stdout.strip().splitlines()[-1])
            found += [
                Figure(f"{backend}_{name}_tokens_per_s", row["tokens_per_s"], "1/s", STEPS),
                Figure(f"{backend}_{name}_peak_gib", row["peak_gib"], "GiB", 1, GOAL_GIB.get(name, "")),
            ]
    return found


def embedded_base() -> list[Figure]:
    """The training of the embedded base as `make base` does it here, without its start."""
    recipe = large()
    torch.cuda.reset_peak_memory_stats()  # the other shapes' weights were made in this process
    with tempfile.TemporaryDirectory() as work:
        schedule = replace(recipe.schedule, tokens=BASE_TOKENS, log_every=1)
        train(recipe.config, schedule, Encoder.load(SHIPPED), Path(work))
        log = (Path(work) / "training.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in log]
    first, last = rows[len(rows) // 2], rows[-1]
    rate = (last["tokens"] - first["tokens"]) / max(1, last["seconds"] - first["seconds"])
    peak = torch.cuda.max_memory_allocated() / 2**30
    return [
        Figure("base_train_tokens_per_s", rate, "1/s", last["step"] - first["step"]),
        Figure("base_train_loss", last["loss"], "", last["step"]),
        Figure("base_train_peak_gib", peak, "GiB", 1),
    ]


def main() -> int:
    """The command line. Exit status 1 without a GPU, or when nothing could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    shapes = [*SHAPES, EMBEDDED]
    parser.add_argument("--shape", choices=shapes, action="append", help="only this; may be repeated")
    parser.add_argument("--one", nargs=3, metavar=("BACKEND", "SHAPE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("make gpu-check needs a CUDA GPU and a torch built for it; this machine shows none")
        return 1
    if options.one:
        backend, name, folder = options.one
        print(json.dumps(measure(backend, name, Path(folder))))
        return 0
    before = {**machine(), "gpu": torch.cuda.get_device_name()}
    parts = [embedded_base() if name == EMBEDDED else side_by_side(name) for name in options.shape or shapes]
    figures = [figure for part in parts for figure in part]
    if figures:
        report("gpu", "make gpu-check", figures, before)
    return 0 if figures else 1


if __name__ == "__main__":
    sys.exit(main())
