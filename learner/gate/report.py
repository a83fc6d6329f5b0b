"""A verdict and its evidence come in; what people read of it goes out: `verdict.json`, `card.md`, pictures.
`verify` computes a verdict again from the evidence beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from agent_runtime import files
from agent_runtime.errors import EvidenceError
from agent_runtime.registry import manifest
from learner.gate import plots
from learner.gate.card import card
from learner.gate.evidence import FOLDER, Liked, Setup, digests, read_evidence
from learner.gate.judge import judge
from learner.gate.verdict import Verdict

VERDICT = "verdict.json"
CARD = "card.md"


class Report(Struct, frozen=True):
    """A verdict, and the sha256 of every file that it was made from."""

    verdict: Verdict
    evidence: dict[str, str]


def write_report(
    folder: Path, verdict: Verdict, learned: Sequence[str] = (), said: Sequence[Liked] = ()
) -> str:
    """Write all of it beside the evidence in `folder`. `learned` are lines about the data and the training
    for the card, `said` the held-out replies in words. Returns one line for `townsfolk versions`. Raises
    `EvidenceError`."""
    evidence = read_evidence(folder / FOLDER)
    report = Report(verdict, digests(folder / FOLDER))
    encoded = msgspec.json.format(msgspec.json.encode(report), indent=1)
    files.replace(folder / VERDICT, encoded + b"\n")
    plots.slices(folder / "slices.png", verdict)
    plots.preference(folder / "preference.png", verdict, evidence)
    text, line = card(evidence, verdict, learned, said or evidence.liked, folder)
    files.replace(folder / CARD, text.encode())
    return line


def read_report(folder: Path) -> Report:
    """What was written. Raises `EvidenceError`."""
    try:
        return msgspec.json.decode((folder / VERDICT).read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError) as error:
        raise EvidenceError(f"{folder / VERDICT}: {error}; evaluate and judge it again") from error


def verify(folder: Path, kept: manifest.Draft | None = None) -> Verdict:
    """The verdict of a folder, once its evidence is what it was and gives the same verdict again; with
    `kept`, the version's manifest, also once that says the same. Raises `EvidenceError` that names what
    differs."""
    report = read_report(folder)
    found = digests(folder / FOLDER)
    for name, known in report.evidence.items():
        if found.get(name) != known:
            raise EvidenceError(
                f"{folder / FOLDER / name}: it is not the file that was judged; do not trust this version"
            )
    if set(found) != set(report.evidence):
        raise EvidenceError(f"{folder / VERDICT}: it does not name all of its evidence")
    said = report.verdict
    evidence = read_evidence(folder / FOLDER)
    again = judge(evidence, said.settings, look=said.look, flips=said.flips, rule=said.rule)
    # Through the file's own form, so that both have been rounded alike.
    computed = msgspec.json.decode(msgspec.json.encode(again))
    written = msgspec.json.decode(msgspec.json.encode(said))
    for key in computed:
        if not _same(computed[key], written[key]):
            raise EvidenceError(
                f"{folder / VERDICT}: {key} is {written[key]!r:.200}, and the evidence gives "
                f"{computed[key]!r:.200}; do not trust this version"
            )
    if kept:
        _check_manifest(folder, kept, evidence.setup, again)
    return again


def _check_manifest(folder: Path, kept: manifest.Draft, setup: Setup, verdict: Verdict) -> None:
    judged = {
        "base": setup.base,
        "adapter": setup.challenger_adapter,
        "scale": setup.scale,
        "verdict": for_registry(verdict),
    }
    for name, value in judged.items():
        if getattr(kept, name) != value:
            raise EvidenceError(
                f"{folder}: {name} is {getattr(kept, name)!r:.200} in its manifest, and {value!r:.200} was "
                "judged; do not trust this version"
            )


def for_registry(verdict: Verdict) -> manifest.Verdict:
    """The verdict in the words of a version's manifest."""
    outcome: manifest.Outcome = "inconclusive"
    if verdict.passed:
        outcome = "passed"
    elif verdict.outcome == "keep":
        outcome = "refused"
    return manifest.Verdict(outcome, verdict.summary)


def _same(one: object, other: object) -> bool:
    """Equal, but for the last digits of numbers: other versions of the libraries round differently."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if numbers and not isinstance(one, bool) and not isinstance(other, bool):
        return abs(float(str(one)) - float(str(other))) <= 1e-9
    return one == other
