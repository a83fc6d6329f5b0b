"""The last stages: an exported adapter comes in; evidence, a verdict and a version in the registry go out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from agent_runtime.nights.erased import DATASET
from agent_runtime.nights.runs import Ended, Outcome
from agent_runtime.registry.manifest import ADAPTER, REPORT
from learner.evaluate.contest import Contest, Retrained, Stage
from learner.evaluate.likelihoods import most_followed
from learner.evaluate.run import evaluate as measure
from learner.evaluate.scoring import Contender
from learner.gate.decide import decide, foresee
from learner.gate.evidence import FOLDER, LIKED, Evidence, Liked, read_rows, without_words, write_rows
from learner.gate.report import for_registry
from learner.job.flagged import doubt, write_turns
from learner.job.heldout import more_players
from learner.job.register import Judgement, Registered, add, admit, draft_of
from learner.job.retraining import train_without
from learner.job.work import TRAINING, Exported, Night, Prepared, Sealed, check_consent
from learner.train.log import PICTURE
from learner.train.run import Trained

JUDGED = "judged"
STAGED = "version"


class Told(Struct, frozen=True):
    """What stands in a version's `report.json`: each stage's result, and the most memory of the night."""

    run: str
    snapshot: Sealed
    dataset: Prepared
    train: Trained
    export: Exported
    evaluate: Evaluated
    peak_mb: float


class Evaluated(Struct, frozen=True):
    """What was compared: the champion of that moment, the LoRA scale that was chosen, and without whom it was
    trained once more."""

    champion: int
    scale: float
    left_out: tuple[str, ...]


def evaluate(night: Night) -> Evaluated:
    """Ask both versions; of one that would pass also another, trained without the raters whom it follows
    most."""
    plan = night.plan
    contest, stage = _contest(night), _stages(night)

    def retrain(evidence: Evidence) -> Retrained | None:
        if not foresee(evidence, night.registry.root, plan.gate).passed:
            return None
        followed = most_followed(contest, 1.0, plan.gate.influential, stage)
        return train_without(night, tuple(sorted(followed)), stage)

    evidence = measure(
        contest,
        night.folder.path / JUDGED,
        plan.evaluation,
        stage,
        retrain if plan.retrain_without else None,
    )
    return Evaluated(contest.number, evidence.setup.scale, evidence.setup.left_out)


def gate(night: Night) -> Judgement:
    """Judge the evidence, and put the files of the version together. What players said is on its card alone,
    from where it can be taken again."""
    plan, folder = night.plan, night.folder
    exported = folder.result("export", Exported)
    staged = folder.fresh(STAGED)
    shutil.copyfile(folder.path / exported.adapter, staged / ADAPTER)
    shutil.copytree(folder.path / JUDGED / FOLDER, staged / FOLDER)
    said = read_rows(staged / FOLDER / LIKED, Liked)
    write_rows(staged / FOLDER / LIKED, map(without_words, said))
    shutil.copytree(folder.path / "train" / "adapter", staged / "peft")
    shutil.copyfile(folder.path / "train" / PICTURE, staged / PICTURE)
    told = _told(night)
    (staged / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
    during = night.registry.state().challenger
    spend = not folder.asked.dry and during is None
    verdict, line = decide(staged, night.registry.root, plan.gate, list(_about(told)), said, spend=spend)
    needs = more_players(verdict, told.dataset.raters)
    return Judgement(
        for_registry(verdict), told.evaluate.scale, told.evaluate.champion, line, STAGED, needs, during
    )


def register(night: Night) -> Registered:
    """Put it into the registry, and let it do what the settings say. Raises `NightError` when a player was
    erased or withdrew meanwhile."""
    check_consent(night.settings, night.folder)
    folder, learn = night.folder, night.settings.learn
    dataset = folder.path / DATASET
    judged = folder.result("gate", Judgement)
    staged = folder.path / judged.staged
    exported = folder.result("export", Exported)
    draft = draft_of(night.plan, folder.result("train", Trained), dataset, exported.sha256, judged)
    doubts = doubt(night.registry, night.settings.learner_folder, dataset)
    write_turns(dataset, staged)
    version = add(night.registry, staged, draft, folder.asked.id)
    return admit(night.registry, version.number, judged, learn.passed, learn.share, doubts)


def outcome(night: Night) -> Outcome:
    """How a night ended that came to its last stage."""
    done = night.folder.result("register", Registered)
    return Outcome(done.ended, done.summary, datetime.now(UTC), version=done.version)


def would(night: Night) -> Outcome:
    """The same of one that registers nothing."""
    judged = night.folder.result("gate", Judgement)
    ended: Ended = "refused" if judged.verdict.outcome == "refused" else "kept"
    said = f"{judged.verdict.outcome}: {judged.verdict.summary}{judged.needs}"
    summary = f"nothing was registered; the gate says {said}"
    return Outcome(ended, summary, datetime.now(UTC))


def _told(night: Night) -> Told:
    folder = night.folder
    return Told(
        run=folder.asked.id,
        snapshot=folder.result("snapshot", Sealed),
        dataset=folder.result("dataset", Prepared),
        train=folder.result("train", Trained),
        export=folder.result("export", Exported),
        evaluate=folder.result("evaluate", Evaluated),
        peak_mb=round(night.watch.peak_mb, 1),
    )


def _about(told: Told) -> Iterator[str]:
    """What the card says of the data and the training."""
    data, trained, parity = told.dataset, told.train, told.export.parity
    yield (
        f"{told.snapshot.turns} rated turns of {told.snapshot.players} players who allowed it; {data.raters} "
        f"of the players could be learned from, {data.quarantined} ratings wait in quarantine"
    )
    yield (
        f"{data.train} examples to learn from, replayed ones among them; {data.validation} to choose by and "
        f"{data.test} to judge by, of other players"
    )
    over = ", when its time was over" if trained.reason == "time_budget" else ""
    yield (
        f"{trained.steps} steps in {trained.seconds:.0f} s{over} ({trained.backend}, profile "
        f"{trained.profile}), at most {told.peak_mb:.0f} MB; the exported adapter is within "
        f"{parity.distance:.1%} of the trained model"
    )


def _contest(night: Night) -> Contest:
    folder = night.folder
    state = night.registry.state()
    champion = night.registry.get(state.champion)
    scale = champion.manifest.scale if champion.manifest else 1.0
    return Contest(
        model=night.plan.served,
        champion=Contender(champion.adapter, scale),
        number=champion.number,
        adapter=folder.path / folder.result("export", Exported).adapter,
        training=folder.path / TRAINING,
        dataset=folder.result("dataset", Prepared).digest,
    )


def _stages(night: Night) -> Stage:
    """Progress of an evaluation. Its own stages come in a row, and each says how much of it is done."""
    names: list[str] = []

    def told(name: str, done: int, total: int) -> None:
        if name not in names:
            names.append(name)
        # Each of the parts that are still to come takes a third of what is left.
        passed = 1 - (2 / 3) ** (len(names) - 1 + done / max(1, total))
        night.tick(passed, name)

    return told
