"""A whole evaluation on a small model: all evidence, what it says of itself, and the verdict on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent_runtime.config import share_dir
from agent_runtime.errors import DatasetError
from agent_runtime.files import digest
from learner.evaluate.contest import Contest, Retrained
from learner.evaluate.likelihoods import judge_all, most_followed
from learner.evaluate.run import REWARD, evaluate
from learner.evaluate.scoring import Contender, Scorer
from learner.evaluate.secrets import plant
from learner.evaluate.settings import EvaluationSettings
from learner.examples import read_examples
from learner.gate.evidence import FOLDER, Evidence, read_evidence
from learner.gate.judge import judge

FEW = EvaluationSettings(
    cases_per_slice=1,
    whole=(),
    seeds=(0, 1),
    scales=(0.5, 1.0),
    prompts=2,
    golden_texts=4,
    timed=3,
    merged=False,
)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in ("refusal", "facts"):
        shutil.copy(share_dir() / "data" / "eval" / f"{name}.jsonl", folder)
    return folder


def test_an_evaluation_leaves_all_that_the_gate_asks_for(
    model: Path, adapter: Path, dataset: Path, cases: Path, tmp_path: Path
) -> None:
    planted = plant(dataset, tmp_path / "training", seed=1)
    contest = Contest(
        model,
        Contender(),
        0,
        adapter,
        tmp_path / "training",
        dataset="d" * 64,
        cases=cases,
    )
    told: list[tuple[str, int, int]] = []
    shown: list[Evidence] = []

    def retrain(evidence: Evidence) -> Retrained:
        shown.append(evidence)
        return Retrained(adapter, ("ratertrain0",))

    evidence = evaluate(contest, tmp_path / "run", FEW, lambda *stage: told.append(stage), retrain)
    assert evidence == read_evidence(tmp_path / "run" / FOLDER)
    setup = evidence.setup
    assert setup.base == digest(model)
    assert setup.challenger_adapter == digest(adapter)
    assert (setup.champion_adapter, setup.dataset, setup.train_raters) == ("", "d" * 64, 7)
    assert [each.scale for each in setup.scales] == [0.5, 1.0]
    assert [each.scale for each in setup.scales if each.chosen] == [setup.scale]
    assert setup.cases == {"refusal": 1, "facts": 1}
    assert setup.secrets == len(planted) == 3
    assert len(evidence.answers) == 2 * 2 * 2
    assert {row.rater for row in evidence.judged} == {f"ratertest{number}" for number in range(7)}
    assert len(evidence.judged) == 10
    assert evidence.retrained == evidence.judged == shown[0].judged
    assert shown[0].answers == evidence.answers
    assert setup.left_out == ("ratertrain0",)
    assert {(row.id, row.seed) for row in evidence.liked} == {
        (f"turntest{number}", seed) for number in (0, 1) for seed in (0, 1)
    }
    assert len([row for row in evidence.likelihoods if row.kind == "golden"]) == 4
    assert evidence.probes
    assert not any(probe.leaked for probe in evidence.probes)
    assert setup.reward is not None
    assert setup.reward.auc > 0.9, "good ones end with !, bad ones with dots"
    assert (tmp_path / "run" / REWARD).exists()
    names = dict.fromkeys(name for name, _, _ in told)
    assert {"golden set", "perplexity", "secrets", "held-out prompts", "reward model"} <= set(names)
    verdict = judge(evidence)
    assert not verdict.passed, "a random adapter is liked by nobody"


def test_pairs_that_repeat_thumbs_are_judged_once(model: Path, adapter: Path, dataset: Path) -> None:
    import msgspec

    good, other = list(read_examples(dataset / "test.jsonl"))[:2]
    bad = msgspec.structs.replace(other, messages=good.messages)
    pair = msgspec.structs.replace(good, id="pair", kind="pair", label=None, rejected=bad.completion)
    corrected = msgspec.structs.replace(pair, id="corrected", completion="Better so.")
    with Scorer(model) as scorer:
        rows = judge_all(
            scorer, Contender(), Contender(adapter), [good, bad, pair, corrected], lambda *s: None
        )
    assert [row.id for row in rows] == [good.id, bad.id, "corrected"]
    assert rows[2].rejected_tokens == rows[1].tokens
    assert rows[2].champion_rejected < 0


def test_the_most_followed_raters_are_of_the_training_data(model: Path, adapter: Path, dataset: Path) -> None:
    contest = Contest(model, Contender(), 0, adapter, dataset)
    found = most_followed(contest, 1.0, 0.3)
    assert len(found) == 2
    assert all(name.startswith("ratertrain") for name in found)


def test_broken_examples_are_named(model: Path, adapter: Path, dataset: Path, tmp_path: Path) -> None:
    (dataset / "test.jsonl").write_text("{}\n")
    with pytest.raises(DatasetError, match=r"test\.jsonl"):
        evaluate(Contest(model, Contender(), 0, adapter, dataset), tmp_path / "run", FEW)
