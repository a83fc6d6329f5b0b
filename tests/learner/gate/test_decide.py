"""A night's decision on disk: the verdict, the card, and what it spent."""

from __future__ import annotations

from pathlib import Path

from learner.gate.decide import decide, foresee
from learner.gate.evidence import FOLDER, Evidence, write_evidence
from learner.gate.report import CARD, verify
from learner.gate.spending import read_looks
from learner.gate.verdict import GateSettings
from tests.support.simulated import night


def run(folder: Path, evidence: Evidence) -> Path:
    write_evidence(folder / FOLDER, evidence)
    return folder


def test_each_challenger_that_comes_to_the_raters_is_one_look(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    first = run(tmp_path / "1", night(1))
    second = run(tmp_path / "2", night(2, effect=0.15, challenger_adapter="c" * 64))
    verdict, _ = decide(first, registry)
    again, _ = decide(first, registry)
    assert verdict == again
    assert (verdict.look, verdict.asked) == (1, True)
    better, line = decide(second, registry, learned=["from 40 players"])
    assert better.look == 2
    assert better.alpha < verdict.alpha
    assert [look.challenger[0] for look in read_looks(registry)] == ["a", "c"]
    assert "\n" not in line
    assert "from 40 players" in (second / CARD).read_text()
    assert verify(second) == better


def test_a_night_that_registers_nothing_spends_nothing(tmp_path: Path) -> None:
    verdict, _ = decide(run(tmp_path / "1", night(1)), tmp_path / "registry", spend=False)
    assert verdict.asked
    assert not read_looks(tmp_path / "registry")


def test_a_vetoed_night_spends_nothing(tmp_path: Path) -> None:
    folder = run(tmp_path / "1", night(1, effect=0.15, harmed=(("refusal", 0.3),)))
    assert decide(folder, tmp_path / "registry")[0].outcome == "keep"
    assert not read_looks(tmp_path / "registry")


def test_a_verdict_is_foreseen_at_its_own_look_and_spends_nothing(tmp_path: Path) -> None:
    registry, better = tmp_path / "registry", night(2, effect=0.15, challenger_adapter="c" * 64)
    for number in range(4):
        decide(run(tmp_path / str(number), night(1, challenger_adapter=f"{number}" * 64)), registry)
    looks = read_looks(registry)
    foreseen = foresee(better, registry, GateSettings())
    assert read_looks(registry) == looks
    assert foreseen.look == 5
    assert foreseen == decide(run(tmp_path / "better", better), registry)[0]
