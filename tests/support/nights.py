"""A home for nights: a journal of simulated players and a served model; and stages that stand in for training
and judging, which take seconds otherwise: they write real files, and an adapter that the engine can load.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from agent_runtime import config
from agent_runtime.config import Settings
from agent_runtime.journal.writer import Journal
from agent_runtime.models import embedded_model
from agent_runtime.nights.erased import HOLDING
from agent_runtime.registry.manifest import Verdict
from agent_runtime.registry.status import Status, StatusFiles
from learner.job import judge, work
from learner.job.judge import STAGED, Evaluated
from learner.job.register import Judgement
from learner.job.run import Stage
from learner.job.work import Exported, Night
from learner.parity import Parity
from learner.train.run import Trained
from tests.support.adapters import random_adapter
from tests.support.ratings import make_journal, population
from tests.support.rows import turn

SEALED = datetime(2026, 11, 20, tzinfo=UTC)
SETTINGS = """[learn]
at = ""
passed = "promote"
retrain_without = false
"""


def home(folder: Path, players: int = 12, turns: int = 20, settings: str = SETTINGS) -> Settings:
    """A home with settings, and with a journal unless nobody has talked."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "townsfolk.toml").write_text(settings)
    if players:
        make_journal(folder, population(5, players, noise=0.0), seed=5, turns=turns)
    return config.load(folder)


def talks(settings: Settings, at: datetime) -> None:
    """A player says something on the server of this home, which is this process."""
    status = Status(pid=os.getpid(), base="", champion=0, challenger=None, suspect=0, since=at)
    StatusFiles(settings.registry_path).write_status(status)

    async def add() -> None:
        journal = Journal.open(settings.journal_path)
        await journal.add(turn(1, said_at=at))
        await journal.close()

    asyncio.run(add())


def trained(night: Night) -> Trained:
    """Nothing learned, in no time."""
    return Trained(
        adapter="adapter",
        adapter_hash="a" * 64,
        base=night.plan.base_files,
        data="d" * 64,
        profile=night.plan.profile.name,
        backend="cpu",
        seed=night.plan.seed,
        examples=10,
        left_out=0,
        steps=3,
        tokens=100,
        seconds=0.1,
        peak_mb=1.0,
        reason="finished",
    )


def exported(night: Night) -> Exported:
    """An adapter of small chance numbers."""
    folder = night.folder.fresh("export")
    path = random_adapter(folder / "adapter.gguf", embedded_model(night.settings.home), strength=0.001)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Exported("export/adapter.gguf", digest, path.stat().st_size, Parity(1, 0, 1, 0, 1, 1, 0))


def evaluated(night: Night) -> Evaluated:
    """Nobody was asked."""
    return Evaluated(night.registry.state().champion, 1.0, ())


def says(outcome: str, summary: str = "11 held-out raters prefer it") -> Stage:
    """A gate that says this, and leaves the files that a version needs."""

    def gate(night: Night) -> Judgement:
        staged = night.folder.fresh(STAGED)
        adapter = night.folder.path / night.folder.result("export", Exported).adapter
        (staged / "adapter.gguf").write_bytes(adapter.read_bytes())
        (staged / "report.json").write_text("{}")
        (staged / "card.md").write_text("# A card\n")
        verdict = Verdict(outcome, summary)  # type: ignore[arg-type]
        champion = night.folder.result("evaluate", Evaluated).champion
        return Judgement(verdict, 1.0, champion, "ends with a wish", STAGED)

    return gate


def stages(outcome: str = "passed", **instead: Callable[[Night], Struct]) -> Mapping[str, Stage]:
    """Real snapshot, dataset and registration around the stand-ins."""
    return {
        "snapshot": work.snapshot,
        "dataset": work.dataset,
        "train": trained,
        "export": exported,
        "evaluate": evaluated,
        "gate": says(outcome),
        "register": judge.register,
        **instead,
    }


def run_of(learner: Path, name: str, *players: str, erasures: int | None = 3) -> Path:
    """The folder of a run whose data has these players' words, sealed at `SEALED` after so many erasures."""
    folder = learner / "runs" / name
    asked = {"id": name, "began": SEALED.isoformat(), "why": "", "key": "", "seed": 1}
    for holding in HOLDING:
        (folder / holding).mkdir(parents=True)
        (folder / holding / "words.jsonl").write_text("my secret")
    (folder / "run.json").write_text(json.dumps(asked))
    held = {"players": players, "snapshot_at": SEALED.isoformat(), "erasures": erasures, "format": 1}
    (folder / "dataset" / "manifest.json").write_text(json.dumps(held))
    return folder
