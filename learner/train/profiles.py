"""Settings of a training run: a TOML file of `data/profiles/` comes in, a checked `Profile` goes out.

What could not be exported afterwards is refused here, when it is read, and so is every unknown key.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from agent_runtime.config import share_dir
from agent_runtime.errors import ConfigError

FOLDER = share_dir() / "data" / "profiles"

# What PEFT can train and a GGUF adapter cannot hold: scaled wrongly in silence, or not at all.
NOT_EXPORTABLE = {
    "use_rslora": "rank-stabilised LoRA would be exported with the wrong scale",
    "use_dora": "DoRA's magnitudes have no place in a GGUF adapter",
    "use_qalora": "QALoRA's pooled inputs have no place in a GGUF adapter",
    "modules_to_save": "whole trained modules have no place in a GGUF adapter",
    "trainable_token_indices": "trained embeddings have no place in a GGUF adapter",
    "bias": "trained biases have no place in a GGUF adapter",
    "lora_bias": "trained biases have no place in a GGUF adapter",
    "rank_pattern": "one rank for all is what the exporter can scale",
    "alpha_pattern": "one alpha for all is what a GGUF adapter holds",
    "target_parameters": "expert weights are not trained",
    "layer_replication": "the serving base has its own layers only",
    "init_lora_weights": "initialisations that change the base do not fit the base that serves",
}
ATTENTION = frozenset({"q_proj", "k_proj", "v_proj", "o_proj"})
FEED_FORWARD = frozenset({"gate_proj", "up_proj", "down_proj"})
EXPERTS = ("gpt_oss",)
"""Bases whose feed-forward layers are experts, which are not trained."""


class Lora(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The adapter's shape. `layers` is the first and the last one trained; none means all."""

    r: int
    alpha: float
    dropout: float
    targets: tuple[str, ...]
    layers: tuple[int, int] | None = None


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much and how fast. `batch` examples of at most `batch_tokens` tokens go through at once, and
    `accumulate` such batches make a step; `warmup` is a share of all steps, `clip` the largest gradient
    norm, `context` the most tokens of one example. After `steps` steps training ends, whatever of the last
    epoch is left: the order is by chance, so that what is met is a fair part of all. 0 sets no such end."""

    epochs: int
    learning_rate: float
    warmup: float
    clip: float
    batch: int
    accumulate: int
    batch_tokens: int
    context: int
    steps: int = 0


class Preference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strongly thumbs and pairs pull: the betas of KTO and DPO, and the loss's share beside SFT's.
    At most so many (`most`) thumbs and as many pairs are trained on, drawn by chance; 0 means all. `keep` is
    how strongly replay holds the model to what the base would say."""

    kto_beta: float
    dpo_beta: float
    share: float
    most: int = 0
    keep: float = 1.0


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run may take: the time of one training, from the loaded base on, and the process's memory."""

    minutes: float
    memory_mb: int


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings for one family of bases, of so many million parameters (from, to)."""

    model_types: tuple[str, ...]
    parameters_m: tuple[float, float]
    quantization: Literal["none", "nf4"]
    lora: Lora
    schedule: Schedule
    preference: Preference
    budget: Budget
    name: str = ""


def read_profile(path: Path) -> Profile:
    """Read and check one file. Raises `ConfigError` with every problem found."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path}: {error}"]) from error
    problems = [f"{path}: {problem}" for problem in _unknown(content, Profile)]
    if problems:
        raise ConfigError(problems)
    try:
        profile = msgspec.convert({**content, "name": path.stem}, Profile)
    except msgspec.ValidationError as error:
        raise ConfigError([f"{path}: {error}"]) from error
    problems = [f"{path}: {problem}" for problem in _wrong(profile)]
    if problems:
        raise ConfigError(problems)
    return profile


def profile_of(base: Path, folder: Path = FOLDER) -> Profile:
    """The profile made for the base in this folder. Raises `ConfigError` when none is."""
    try:
        model_type = json.loads((base / "config.json").read_text(encoding="utf-8"))["model_type"]
        millions = sum(path.stat().st_size for path in base.glob("*.safetensors")) / 2e6
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError([f"{base}: not a base model's folder ({error!r})"]) from error
    for path in sorted(folder.glob("*.toml")):
        profile = read_profile(path)
        low, high = profile.parameters_m
        if model_type in profile.model_types and low <= millions <= high:
            return profile
    raise ConfigError(
        [f"{base}: no profile in {folder} is made for {model_type} of {millions:.0f}M parameters; write one"]
    )


def _unknown(content: Mapping[str, Any], kind: type[msgspec.Struct], place: str = "") -> Iterator[str]:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in content.items():
        if key in NOT_EXPORTABLE:
            yield f"{place}{key} is refused: {NOT_EXPORTABLE[key]}; remove it"
        elif key not in fields or key == "name":
            yield f"{place}{key} is unknown; one of {', '.join(sorted(set(fields) - {'name'}))}"
        elif isinstance(value, dict) and issubclass(fields[key], msgspec.Struct):
            yield from _unknown(value, fields[key], f"{place}{key}.")


def _wrong(profile: Profile) -> Iterator[str]:
    lora, schedule, preference, budget = profile.lora, profile.schedule, profile.preference, profile.budget
    numbers = {
        "lora.r": (lora.r, 1, 256),
        "lora.alpha": (lora.alpha, 0.1, 1024),
        "lora.dropout": (lora.dropout, 0, 0.9),
        "schedule.epochs": (schedule.epochs, 1, 100),
        "schedule.learning_rate": (schedule.learning_rate, 0, 1),
        "schedule.warmup": (schedule.warmup, 0, 1),
        "schedule.clip": (schedule.clip, 1e-6, 1e6),
        "schedule.batch": (schedule.batch, 1, 1024),
        "schedule.accumulate": (schedule.accumulate, 1, 1024),
        "schedule.batch_tokens": (schedule.batch_tokens, 64, 2**20),
        "schedule.context": (schedule.context, 64, 2**20),
        "schedule.steps": (schedule.steps, 0, 10**6),
        "preference.kto_beta": (preference.kto_beta, 1e-4, 10),
        "preference.dpo_beta": (preference.dpo_beta, 1e-4, 10),
        "preference.share": (preference.share, 0, 100),
        "preference.most": (preference.most, 0, 10**6),
        "preference.keep": (preference.keep, 0, 100),
        "budget.minutes": (budget.minutes, 0, 10_000),
        "budget.memory_mb": (budget.memory_mb, 1, 2**24),
    }
    for key, (value, low, high) in numbers.items():
        if not low <= value <= high:
            yield f"{key} is {value}; give {low} to {high}"
    if not profile.lora.targets:
        yield "lora.targets is empty; name modules such as q_proj"
    allowed = ATTENTION if set(profile.model_types) & set(EXPERTS) else ATTENTION | FEED_FORWARD
    for name in sorted(set(profile.lora.targets) - allowed):
        yield f"lora.targets has {name!r}; only {', '.join(sorted(allowed))} are trained and exported"
    if lora.layers is not None and not 0 <= lora.layers[0] <= lora.layers[1]:
        yield f"lora.layers is {list(lora.layers)}; give the first and the last layer, counted from 0"
