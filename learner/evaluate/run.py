"""A contest comes in: the served base, a champion, a challenger's adapter, a dataset. The evidence of it goes
out, as rows and as files of the run folder.

Likelihoods come from the served GGUF itself, replies from the serving engine with both sides as its lanes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec

from agent_runtime.files import digest
from learner.evaluate import secrets
from learner.evaluate.answers import slice_of
from learner.evaluate.contest import Contest, Retrain, Stage, examples_of, quiet, some
from learner.evaluate.likelihoods import judge_all, likelihoods, try_scales
from learner.evaluate.scoring import Contender, Scorer
from learner.evaluate.settings import EvaluationSettings
from learner.evaluate.talk import talk
from learner.gate.evidence import FOLDER, Evidence, Reward, Setup, write_evidence
from learner.gate.reward import fit

REWARD = "reward.npz"


def evaluate(
    contest: Contest,
    folder: Path,
    settings: EvaluationSettings = EvaluationSettings(),  # noqa: B008 - immutable
    stage: Stage = quiet,
    retrain: Retrain | None = None,
) -> Evidence:
    """Measure everything, and write it to `folder`/evidence, the reward model beside it. Raises
    `DatasetError`, `AdapterError`, and the engine's other errors."""
    train, validation, test = (examples_of(contest, part) for part in ("train", "validation", "test"))
    held_out = some(test, settings.judgements)
    with Scorer(contest.model, settings.threads) as scorer:
        tried = try_scales(scorer, contest, validation, settings, stage)
        challenger = Contender(contest.adapter, next(each.scale for each in tried if each.chosen))
        judged = judge_all(scorer, contest.champion, challenger, held_out, stage)
        texts = likelihoods(scorer, contest.champion, challenger, test, settings, stage)
        base = scorer.digest
    stage("reward model", 0, 1)
    model = fit(train)
    reward = None
    folder.mkdir(parents=True, exist_ok=True)
    if model:
        model.save(folder / REWARD)
        area, good, bad = model.measure(test)
        reward = Reward(area, good, bad) if good and bad else None
    stage("reward model", 1, 1)
    planted = secrets.read_secrets(contest.training)
    said = asyncio.run(talk(contest, challenger, held_out, model, planted, settings, stage))
    setup = Setup(
        base=base,
        champion=contest.number,
        champion_adapter=digest(contest.champion.adapter) if contest.champion.adapter else "",
        champion_scale=contest.champion.scale,
        challenger_adapter=digest(contest.adapter),
        scale=challenger.scale,
        scales=tuple(tried),
        dataset=contest.dataset,
        cases=dict(Counter(slice_of(case) for case in said.cases)),
        seeds=settings.seeds,
        figures=said.figures,
        reward=reward,
        secrets=len(planted),
        train_raters=len({example.rater for example in train} - {""}),
    )
    evidence = Evidence(
        setup,
        tuple(said.answers),
        tuple(judged),
        tuple(said.liked),
        tuple(texts),
        tuple(said.probes),
    )
    retrained = retrain(evidence) if retrain else None
    if retrained:
        with Scorer(contest.model, settings.threads) as scorer:
            other = Contender(retrained.adapter, challenger.scale)
            again = judge_all(scorer, contest.champion, other, held_out, stage)
        setup = msgspec.structs.replace(setup, left_out=retrained.left_out)
        evidence = replace(evidence, setup=setup, retrained=tuple(again))
    write_evidence(folder / FOLDER, evidence)
    return evidence
