"""The last stage: a judged adapter comes in; a version in the registry, and what it is allowed, goes out.

A version that passed gets what the settings say; all others are kept for an admin to look at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from agent_runtime.errors import RegistryConflict
from agent_runtime.nights.runs import Ended
from agent_runtime.registry.audit import State
from agent_runtime.registry.manifest import Draft, Verdict
from agent_runtime.registry.store import Registry
from agent_runtime.registry.versions import Version
from learner.config import Plan
from learner.dataset.manifest import read_manifest
from learner.examples import load_examples
from learner.train.run import Trained

WHO = "learner"


class Judgement(Struct, frozen=True):
    """What the gate said: its verdict, the LoRA scale that was judged, the champion of that moment, and one
    line on what was learned. `staged` is the folder of the version's files, relative to the run's. `needs` is
    what else to say of too few raters. `during` is the version whose trial went on then: what was judged
    meanwhile has spent none of the error, and serves only if an admin lets it."""

    verdict: Verdict
    scale: float
    champion: int
    learned: str
    staged: str
    needs: str = ""
    during: int | None = None


class Registered(Struct, frozen=True):
    """The version, and what became of it."""

    version: int
    ended: Ended
    summary: str


def draft_of(plan: Plan, trained: Trained, dataset: Path, adapter: str, judged: Judgement) -> Draft:
    """The version as the registry is told of it, and whose talk it was made of. Raises `DatasetError`."""
    profile = plan.profile
    data = read_manifest(dataset)
    trained_on = _raters(dataset, "train")
    return Draft(
        base=plan.served_hash,
        adapter=adapter,
        scale=judged.scale,
        dataset=data.digest,
        data_at=data.snapshot_at,
        data_erasures=data.erasures,
        trained_on=trained_on,
        judged_by=tuple(sorted(set(data.players) - set(trained_on))),
        training={
            "profile": profile.name,
            "backend": trained.backend,
            "base_files": trained.base,
            "adapter_hash": trained.adapter_hash,
            "examples": trained.examples,
            "steps": trained.steps,
            "ended": trained.reason,
            "lora": msgspec.to_builtins(profile.lora),
            "schedule": msgspec.to_builtins(profile.schedule),
            "preference": msgspec.to_builtins(profile.preference),
        },
        seeds={"train": plan.seed, "dataset": plan.dataset.seed},
        parent=judged.champion,
        verdict=judged.verdict,
        learned=judged.learned,
    )


def _raters(dataset: Path, part: str) -> tuple[str, ...]:
    return tuple(sorted({example.rater for example in load_examples(dataset / f"{part}.jsonl")} - {""}))


def add(registry: Registry, staged: Path, draft: Draft, run: str) -> Version:
    """The version of this run: the one that is there already when the run was killed just after adding it."""
    why = f"run {run}: {draft.verdict.summary}"
    for entry in registry.audit():
        if entry.what == "add" and entry.who == WHO and entry.why == why:
            return registry.get(entry.version)
    return registry.add(staged, draft, who=WHO, why=why)


def admit(
    registry: Registry,
    version: int,
    judged: Judgement,
    passed: Literal["canary", "promote", "keep"],
    share: int,
    doubt: str = "",
) -> Registered:
    """Let a version that passed do what `passed` says, unless there is a `doubt` that an admin should decide
    on. Asked again, it changes nothing more."""
    state = registry.state()
    verdict = judged.verdict
    if verdict.outcome == "refused":
        return Registered(version, "refused", verdict.summary)
    if verdict.outcome != "passed":
        return Registered(version, "kept", verdict.summary + judged.needs)
    if version == state.champion:
        return Registered(version, "promoted", verdict.summary)
    if version == state.challenger:
        return Registered(version, "canary", verdict.summary)
    reason = _why_not(state, version, judged, passed, doubt)
    if reason:
        return Registered(version, "kept", f"{verdict.summary}; {reason}")
    try:
        if passed == "promote":
            registry.promote(version, expected=judged.champion, who=WHO, why=verdict.summary)
            return Registered(version, "promoted", verdict.summary)
        registry.challenge(version, share / 100, expected=None, who=WHO, why=verdict.summary)
        return Registered(version, "canary", f"{verdict.summary}; {share} % of the players try it")
    except RegistryConflict as conflict:
        return Registered(version, "kept", f"{verdict.summary}; {conflict}")


def _why_not(state: State, version: int, judged: Judgement, passed: str, doubt: str) -> str:
    """Why a version that passed has to wait for an admin; empty when it need not."""
    yours = f"`townsfolk promote {version}` lets it serve"
    if version in state.banned:
        return f"it was banned meanwhile: {state.banned[version]}"
    if state.champion != judged.champion:
        return f"it was judged against version {judged.champion}, and {state.champion} serves now; {yours}"
    if doubt:
        return f"{doubt}; look at what was wrong with that one, then {yours}"
    if passed == "keep":
        return f"it waits for you, as learn.passed says; {yours}"
    trial = judged.during or state.challenger
    if trial is not None:
        return f"version {trial} was on trial when it was judged, and is not disturbed; {yours}"
    return ""
