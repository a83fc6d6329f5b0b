"""A run folder with evidence comes in; the verdict, written down with its card, goes out, and what it spent
of the error is kept in the registry's folder. No alias is moved here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learner.gate import spending
from learner.gate.evidence import FOLDER, Evidence, Liked, read_evidence
from learner.gate.judge import judge
from learner.gate.report import write_report
from learner.gate.spending import Look
from learner.gate.verdict import GateSettings, Verdict


def foresee(evidence: Evidence, registry: Path, settings: GateSettings) -> Verdict:
    """The verdict on this evidence at the look that it would be; nothing is written or spent. Raises
    `EvidenceError` and `RegistryError`."""
    setup = evidence.setup
    looks = spending.read_looks(registry)
    look = spending.number(looks, setup.champion_adapter, setup.challenger_adapter)
    return judge(evidence, settings, look=look)


def decide(
    folder: Path,
    registry: Path,
    settings: GateSettings = GateSettings(),  # noqa: B008 - immutable
    learned: Sequence[str] = (),
    said: Sequence[Liked] = (),
    *,
    spend: bool = True,
) -> tuple[Verdict, str]:
    """Judge what `folder`/evidence holds, write `verdict.json`, `card.md` and the pictures, and return the
    verdict and one line for `townsfolk versions`. `said` are the held-out replies in words, which the
    evidence of a version does not keep. Asked again, it says the same and spends nothing more; without
    `spend`, for what is never registered, it spends nothing at all.

    Raises `EvidenceError` and `RegistryError`."""
    evidence = read_evidence(folder / FOLDER)
    verdict = foresee(evidence, registry, settings)
    line = write_report(folder, verdict, learned, said)
    if spend and verdict.asked:
        setup = evidence.setup
        look = Look(setup.champion_adapter, setup.challenger_adapter, verdict.alpha, verdict.preference.p)
        spending.record(registry, look)
    return verdict, line
