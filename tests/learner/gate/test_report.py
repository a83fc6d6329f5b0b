"""What people read of a verdict, and that nobody can change the evidence behind it unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import EvidenceError
from agent_runtime.registry.manifest import Draft, Verdict
from learner.gate.evidence import FILES, FOLDER, Liked, write_evidence
from learner.gate.judge import judge
from learner.gate.report import CARD, VERDICT, for_registry, read_report, verify, write_report
from learner.gate.statistics import FLIPS
from tests.support.simulated import night

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    gains = [(f"line {n}", f"old {n}", f"new {n}", 0.3, 0.3 + n / 20) for n in range(8)]
    gains += [
        ("the <b>bold</b> | line", "old", "# new `x` | y", 0.1, 0.95),
        ("same", "as it was", "as it was", 0.4, 0.4),
    ]
    gains += [("worse now", "kind", "rude", 0.9, 0.2)]
    liked = tuple(Liked(f"id{n}", f"r{n}", 0, *row) for n, row in enumerate(gains))
    evidence = replace(night(3, effect=0.15), liked=liked)
    write_evidence(folder / FOLDER, evidence)
    write_report(folder, judge(evidence, look=2), ["412 judged turns of 48 players"])
    return folder


@pytest.fixture
def copy(judged: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(judged, tmp_path / "copy"))


def test_the_card_tells_what_was_learned_and_what_not(judged: Path) -> None:
    text = (judged / CARD).read_text()
    for words in (
        "412 judged turns of 48 players",
        "new 7",
        "95 % interval",
        "| refusal |",
        "40 held-out raters judged moved",
        "What was not learned",
        "worse now",
        "slices.png",
        "preference.png",
        "without the 4 most influential raters",
    ):
        assert words in text, words
    assert text.count("→") >= 5
    assert "line 2 " not in text, "only the five largest gains are shown"
    assert "as it was" not in text


def test_talk_is_never_markup_in_the_card(judged: Path) -> None:
    text = (judged / CARD).read_text()
    assert "<b>" not in text
    assert r"the \<b\>bold\</b\> \| line" in text
    assert r"\# new \`x\` \| y" in text


def test_pictures_are_drawn(judged: Path) -> None:
    for name in ("slices.png", "preference.png"):
        assert (judged / name).read_bytes()[:4] == PNG


def test_a_verdict_can_be_computed_again(judged: Path) -> None:
    again = verify(judged)
    report = read_report(judged)
    assert again.outcome == report.verdict.outcome == "canary"
    assert again.look == 2
    assert for_registry(again).outcome == "passed"
    assert "\n" not in for_registry(again).summary


def test_a_verdict_of_an_earlier_rule_can_be_computed_again(tmp_path: Path) -> None:
    """At look 18 its 10,000 draws could not come to its α."""
    write_evidence(tmp_path / FOLDER, night(3, raters=60, effect=0.45))
    verdict = judge(night(3, raters=60, effect=0.45), look=18, flips=FLIPS, rule="squares")
    assert not verdict.asked
    write_report(tmp_path, verdict)
    content = json.loads((tmp_path / VERDICT).read_text())
    del content["verdict"]["flips"], content["verdict"]["rule"]
    (tmp_path / VERDICT).write_text(json.dumps(content))
    assert verify(tmp_path) == verdict


def test_a_manifest_that_says_otherwise_is_seen(judged: Path) -> None:
    verdict = read_report(judged).verdict
    right = Draft(base="b" * 64, adapter="a" * 64, dataset="d" * 64, verdict=for_registry(verdict))
    assert verify(judged, right) == verdict
    for name, wrong in {
        "adapter": "c" * 64,
        "base": "c" * 64,
        "scale": 0.5,
        "verdict": Verdict("passed", "everybody loves it"),
    }.items():
        with pytest.raises(EvidenceError, match=rf"{name} is .*manifest"):
            verify(judged, msgspec.structs.replace(right, **{name: wrong}))


@pytest.mark.parametrize("name", FILES)
def test_changed_evidence_is_seen(copy: Path, name: str) -> None:
    path = copy / FOLDER / name
    path.write_bytes(path.read_bytes() + b" \n")
    with pytest.raises(EvidenceError, match=name):
        verify(copy)


def test_a_changed_verdict_is_seen(copy: Path) -> None:
    content = json.loads((copy / VERDICT).read_text())
    content["verdict"]["outcome"] = "promote"
    (copy / VERDICT).write_text(json.dumps(content))
    with pytest.raises(EvidenceError, match="outcome"):
        verify(copy)


def test_evidence_and_its_hash_changed_together_give_another_verdict(copy: Path) -> None:
    from agent_runtime.files import digest

    path = copy / FOLDER / "judged.jsonl"
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:40]) + b"\n")
    content = json.loads((copy / VERDICT).read_text())
    content["evidence"]["judged.jsonl"] = digest(path)
    (copy / VERDICT).write_text(json.dumps(content))
    with pytest.raises(EvidenceError, match="the evidence gives"):
        verify(copy)


@pytest.mark.parametrize("name", [VERDICT, f"{FOLDER}/answers.jsonl"])
def test_what_is_missing_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(EvidenceError, match=Path(name).name):
        verify(copy)


def test_what_was_refused_or_unproven_says_so(tmp_path: Path) -> None:
    cases = {"refused": night(1, effect=0.2, harmed=(("refusal", 0.3),)), "inconclusive": night(1, raters=3)}
    for outcome, evidence in cases.items():
        folder = tmp_path / outcome
        write_evidence(folder / FOLDER, evidence)
        verdict = judge(evidence)
        write_report(folder, verdict)
        assert for_registry(verdict).outcome == outcome
        assert "the champion stays" in (folder / CARD).read_text()
        assert verify(folder).outcome == verdict.outcome
