"""The first four stages: a journal's rated turns come in, a checked GGUF adapter goes out.

Each stage is a function of the night and returns what is stored for the next one; `Ends` ends the night
early.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from agent_runtime.config import Settings
from agent_runtime.errors import NightError
from agent_runtime.journal.database import exports_of
from agent_runtime.journal.sealed import read_manifest
from agent_runtime.journal.source import erasures, open_source, take_snapshot, withdrawn
from agent_runtime.journal.views import erased_since
from agent_runtime.nights.erased import DATASET, held_in
from agent_runtime.nights.runs import Ended
from agent_runtime.registry.store import Registry
from exporters.adapter import Served, export_adapter
from learner import parity
from learner.config import Plan
from learner.dataset.build import build
from learner.dataset.shortage import TooLittle
from learner.evaluate.secrets import plant
from learner.examples import read_examples
from learner.job.folder import RunFolder
from learner.job.heldout import held_out
from learner.job.limits import Watch
from learner.job.quiet import Wait
from learner.job.show import Show
from learner.parity import Parity
from learner.train.loop import Step
from learner.train.rows import load_encoder, make_row
from learner.train.run import Trained, load_trained, train

PARITY_ROWS = 6
TRAINING = "training"
"""The folder that is trained on: the dataset, with planted secrets among it that no version may tell."""


@dataclass(frozen=True, slots=True)
class Night:
    """What every stage works with."""

    settings: Settings
    plan: Plan
    folder: RunFolder
    registry: Registry
    show: Show
    wait: Wait
    watch: Watch

    def tick(self, share: float, text: str = "") -> None:
        """Tell how far the stage is, and wait while players talk if that was asked for."""
        self.show.advance(share, text)
        with self.watch.paused():
            self.wait()


class Ends(Exception):
    """The night is over, before its last stage."""

    def __init__(self, ended: Ended, summary: str) -> None:
        self.ended = ended
        self.summary = summary
        super().__init__(summary)


class Sealed(Struct, frozen=True):
    """The snapshot of this night, by its folder's name among the journal's snapshots."""

    folder: str
    name: str
    digest: str
    turns: int
    ratings: int
    players: int
    without_consent: int


class Prepared(Struct, frozen=True):
    """The dataset: examples by part, and raters in all of it."""

    digest: str
    train: int
    validation: int
    test: int
    raters: int
    quarantined: int


class Exported(Struct, frozen=True):
    """The GGUF adapter, relative to the run's folder, and how close it comes to what was trained."""

    adapter: str
    sha256: str
    size: int
    parity: Parity


def snapshot_of(settings: Settings, sealed: Sealed) -> Path:
    """Where a snapshot lies now: homes are moved and copied, and earlier releases noted a whole path."""
    return exports_of(settings.journal_path) / Path(sealed.folder).name


def snapshot(night: Night) -> Sealed:
    """Seal what may be trained on."""
    settings, plan = night.settings, night.plan
    if not settings.journal_path.exists():
        least = TooLittle(plan.dataset.min_raters, plan.dataset.min_judgements)
        raise Ends("too_little", f"nobody has talked yet: {least}")
    number, _, began = night.folder.asked.id.partition("-")
    target = exports_of(settings.journal_path) / f"{began}-run{number}"
    shutil.rmtree(target, ignore_errors=True)  # this run sealed it, and was killed before it could say so
    with open_source(settings.journal_path) as source:
        path = take_snapshot(source, plan.scope, target)
    manifest = read_manifest(path)
    return Sealed(
        folder=path.name,
        name=manifest.name,
        digest=manifest.digest,
        turns=manifest.tables["turns"].rows,
        ratings=manifest.tables["ratings"].rows,
        players=len(manifest.players),
        without_consent=manifest.left_out.players_without_consent,
    )


def dataset(night: Night) -> Prepared:
    """Clean, split and weigh it."""
    sealed = night.folder.result("snapshot", Sealed)
    snapshot = snapshot_of(night.settings, sealed)
    taken = read_manifest(snapshot)
    out = night.folder.path / DATASET
    training = night.folder.path / TRAINING
    for folder in (out, training):
        shutil.rmtree(folder, ignore_errors=True)
    said = iter((0.1, 0.3, 0.6, 0.9, 0.95))
    made = build(
        snapshot,
        out,
        held_out(night.plan.dataset, night.plan.gate.alpha, night.registry),
        left_out=_left_out(night.settings, taken.players, taken.created_at, taken.erasures),
        banned=tuple(night.registry.state().banned),
        say=lambda step: night.tick(next(said, 0.99), step),
    )
    if isinstance(made, TooLittle):
        consent = f"; {sealed.without_consent} players have not consented" if sealed.without_consent else ""
        raise Ends("too_little", f"{made}{consent}")
    plant(out, training, night.plan.seed)
    counts = {name: sum(part.examples.values()) for name, part in made.parts.items()}
    quarantined = sum(sum(rater.quarantined.values()) for rater in made.raters.values())
    return Prepared(digest=made.digest, raters=len(made.players), quarantined=quarantined, **counts)


def training(night: Night) -> Trained:
    """Train from the base. A killed training goes on from its checkpoint."""
    check_consent(night.settings, night.folder)

    def told(step: Step) -> None:
        text = f"step {step.done} of {step.total}, loss {step.loss:.3f}, {step.tokens_per_s:.0f} tokens/s"
        night.tick(step.done / step.total, text)

    plan = night.plan
    return train(
        night.folder.path / TRAINING,
        plan.base,
        plan.profile,
        night.folder.path / "train",
        seed=plan.seed,
        backend=plan.backend,
        progress=told,
        say=night.show.tell,
    )


def export(night: Night) -> Exported:
    """Write the adapter as GGUF, and demand that it says what was trained."""
    plan, folder = night.plan, night.folder
    trained = folder.path / "train"
    name = "export/adapter.gguf"
    made = export_adapter(
        trained / "adapter",
        plan.base,
        folder.fresh("export") / "adapter.gguf",
        version=folder.asked.id,
        served=Served.read(plan.served, plan.served_hash),
    )
    night.tick(0.3, "comparing it with what was trained")
    encoder = load_encoder(plan.base)
    rows = []
    for example in read_examples(folder.path / TRAINING / "train.jsonl"):
        row = make_row(example.messages, example.completion, encoder, plan.profile.schedule.context)
        if row is not None:
            rows.append(row)
        if len(rows) == PARITY_ROWS:
            break
    model = load_trained(plan.base, trained, plan.profile)
    measured = parity.check(model, plan.served, made.path, rows)
    return Exported(name, made.digest, made.size, measured)


def check_consent(settings: Settings, folder: RunFolder) -> None:
    """Raises `NightError` when a player whose words this run works with was erased or withdrew since."""
    held = held_in(folder.path)
    if held and _left_out(settings, held.players, held.snapshot_at, held.erasures):
        raise NightError(
            "a player whose talk this run works with was erased or withdrew; the next run begins anew"
        )


def _left_out(
    settings: Settings, players: Collection[str], made_at: datetime, seen: int | None
) -> dict[str, str]:
    """Who of a snapshot's players may not be learned from any more, and why: each one's last word counts.
    Without a journal nobody has said any."""
    if not settings.journal_path.exists():
        return {}
    with open_source(settings.journal_path) as source:
        erased = erased_since(players, made_at, seen, erasures(source))
        refusing = withdrawn(source, players)
    return dict.fromkeys(refusing, "player withdrew") | dict.fromkeys(erased, "player was erased")


def check_resumed(settings: Settings, folder: RunFolder) -> None:
    """Raises `NightError` when what an earlier life of this run left cannot be gone on with: a player who was
    erased since took the snapshot with them, or the data is of one who may not be learned from any more."""
    if folder.done("snapshot") and not snapshot_of(settings, folder.result("snapshot", Sealed)).is_dir():
        raise NightError(
            "the snapshot of this run was deleted with a player who was erased; the next run begins anew"
        )
    if folder.done("dataset"):
        check_consent(settings, folder)
