"""A run folder with evidence comes in; the verdict, written down with its card, goes out, and what it spent
of the error is kept in the registry's folder. No alias is moved here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from learner.gate import spending
from learner.gate.evidence import FOLDER, Liked, read_evidence
from learner.gate.judge import judge
from learner.gate.report import write_report
from learner.gate.spending import Look
from learner.gate.verdict import GateSettings, Verdict


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
    setup = evidence.setup
    sides = setup.champion_adapter, setup.challenger_adapter
    verdict = judge(evidence, settings, look=spending.number(spending.read_looks(registry), *sides))
    line = write_report(folder, verdict, learned, said)
    if spend and verdict.asked:
        spending.record(registry, Look(*sides, verdict.alpha, verdict.preference.p))
    return verdict, line
