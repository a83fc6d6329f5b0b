"""What a run works with: the runtime's settings come in; the base, the profile and every number of the run go
out, checked before anything is begun."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from agent_runtime.config import Settings, share_dir
from agent_runtime.engine import modelfile
from agent_runtime.errors import ConfigError
from agent_runtime.journal.sealed import Scope
from agent_runtime.models import embedded_model
from agent_runtime.sections import Learn
from exporters.gguf import base_digest
from learner.dataset.settings import DatasetSettings, RaterSettings
from learner.evaluate.settings import EvaluationSettings
from learner.gate.verdict import GateSettings
from learner.train.backends import Name
from learner.train.profiles import Budget, Profile, profile_of, read_profile

_BESIDES_MINUTES = 200.0
_TRAINED = 0.5  # of a run's minutes, at most


class Plan(msgspec.Struct, frozen=True):
    """All that a run is asked for. `base` are the weights to train on, `served` is their GGUF with its
    sha256: what is exported and judged has to serve on exactly that file."""

    home: Path
    base: Path
    base_files: str
    served: Path
    served_hash: str
    profile: Profile
    backend: Name | None
    scope: Scope
    dataset: DatasetSettings
    evaluation: EvaluationSettings
    gate: GateSettings
    retrain_without: bool
    seed: int
    minutes: float
    memory_mb: int

    @property
    def key(self) -> str:
        """The same for runs that would do the same with the same ratings."""
        asked = msgspec.structs.replace(self, home=Path(), base=Path(), served=Path())
        encoded = msgspec.json.encode(asked, order="deterministic", enc_hook=str)
        return hashlib.sha256(encoded).hexdigest()


def dataset_settings(settings: Settings) -> DatasetSettings:
    """How a dataset is made of the journal."""
    learn = settings.learn
    return DatasetSettings(
        seed=learn.seed,
        min_raters=learn.min_raters,
        min_judgements=learn.min_ratings,
        replay=learn.replay,
        raters=RaterSettings(new_account_hours=learn.new_account_h),
    )


def plan_of(settings: Settings) -> Plan:
    """Read and check everything. Raises `ConfigError`, and `ModelFileError` for a broken model."""
    learn = settings.learn
    if settings.model_path and not learn.base:
        raise ConfigError(
            [
                f"learn.base: is empty, and model.path is {settings.model_path}: give the folder with the "
                "weights (safetensors) that this GGUF was made from"
            ]
        )
    if settings.engine.backend == "openai" and not settings.model_path:
        raise ConfigError(
            [
                "model.path: is empty, and engine.backend is 'openai': give the GGUF that the server has, to "
                "judge on"
            ]
        )
    base = settings.home / learn.base.expanduser() if learn.base else share_dir() / "data" / "base"
    profile_path = settings.home / learn.profile.expanduser() if learn.profile else None
    profile = read_profile(profile_path) if profile_path else profile_of(base)
    served = settings.model_path or embedded_model(settings.home)
    modelfile.read_header(served)
    memory = learn.memory_mb or profile.budget.memory_mb
    minutes, training = _minutes(learn, profile.budget)
    return Plan(
        home=settings.home,
        base=base,
        base_files=base_digest(base),
        served=served,
        served_hash=modelfile.digest(served),
        profile=msgspec.structs.replace(profile, budget=Budget(minutes=training, memory_mb=memory)),
        backend=None if learn.backend == "auto" else learn.backend,
        scope=Scope(consent=settings.privacy.consent),
        dataset=dataset_settings(settings),
        evaluation=EvaluationSettings(cases_per_slice=learn.cases),
        gate=GateSettings(alpha=learn.alpha, least_gain=learn.least_gain, canary=learn.passed == "canary"),
        retrain_without=learn.retrain_without,
        seed=learn.seed,
        minutes=minutes,
        memory_mb=memory,
    )


def _minutes(learn: Learn, budget: Budget) -> tuple[float, float]:
    """Those of a run, and of each training in it, which has to end by itself before the run is ended."""
    trainings = 2 if learn.retrain_without else 1
    if not learn.minutes:
        return trainings * budget.minutes + _BESIDES_MINUTES, budget.minutes
    return learn.minutes, min(budget.minutes, learn.minutes * _TRAINED / trainings)
