"""A verdict comes in; pictures as PNG go out. No window is ever opened."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from learner.gate.evidence import Evidence
from learner.gate.preference import influence
from learner.gate.verdict import Verdict

_OLD, _NEW = "#8a8a8a", "#2f7d4f"


def slices(path: Path, verdict: Verdict) -> None:
    """Shares of good replies by slice, before and after, with the 95 % interval of the difference."""
    parts = list(reversed(verdict.slices))
    figure = Figure(figsize=(8, 1 + 0.4 * max(3, len(parts))), layout="constrained")
    axes = figure.subplots()
    for row, part in enumerate(parts):
        low, high = (min(1.0, max(0.0, part.champion + value)) for value in (part.low, part.high))
        axes.plot([100 * low, 100 * high], [row, row], color=_NEW, alpha=0.35, linewidth=5)
        axes.plot(100 * part.champion, row, "o", color=_OLD, label="champion" if not row else None)
        axes.plot(100 * part.challenger, row, "D", color=_NEW, label="challenger" if not row else None)
    axes.set_yticks(range(len(parts)), [f"{part.name} ({part.cases})" for part in parts])
    axes.set(
        xlim=(0, 101), xlabel="good replies, %", title="Golden set, with the 95 % interval of the difference"
    )
    axes.grid(axis="x", alpha=0.3)
    if parts:
        axes.legend(loc="lower left")
    _save(figure, path)


def preference(path: Path, verdict: Verdict, evidence: Evidence) -> None:
    """What each held-out rater adds to the share of won judgements, and the share with its interval."""
    parts = influence(evidence.judged)
    liked = verdict.preference
    figure = Figure(figsize=(8, 4), layout="constrained")
    bars, whole = figure.subplots(1, 2, width_ratios=(3, 1))
    colors = [_NEW if value > 0 else _OLD for value in parts.values()]
    bars.bar(range(len(parts)), [100 * value for value in parts.values()], color=colors)
    bars.axhline(0, color="black", linewidth=0.8)
    bars.set(
        xlabel="held-out raters", ylabel="points added", title="For and against the challenger", xticks=[]
    )
    error = [[100 * max(0.0, liked.share - liked.low)], [100 * max(0.0, liked.high - liked.share)]]
    whole.errorbar([0], [100 * liked.share], yerr=error, fmt="D", color=_NEW, capsize=6)
    whole.axhline(50, color="black", linewidth=0.8, linestyle="--")
    whole.set(ylim=(0, 100), xticks=[], ylabel="judgements won, %", title="All, 95 %")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, metadata={"Software": None})
