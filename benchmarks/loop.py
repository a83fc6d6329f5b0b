"""The learning loop measured on simulated players whose taste is known: how long a night takes, whether they
like what it made, and whether poison or noise gets through the gate.

`--only night|swaps|noise|poison` measures parts; figures of other parts stay in the file as they were.
Poison and noise run one night for each seed, minutes each; what was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from agent_runtime.nights import runs
from agent_runtime.nights.runs import STAGES, Run
from agent_runtime.registry.manifest import REPORT
from benchmarks import swaps
from benchmarks.figures import Figure, earlier, machine, report, show
from benchmarks.markdown import PAGE, put
from benchmarks.nights import NIGHTS, PLAYERS, noise, poison, replies, spent
from learner.gate import slices
from learner.gate.report import read_report
from learner.job.judge import STAGED, Told
from learner.job.work import Exported
from tests.support.ratings import Taste, population

COMMAND = "python -m benchmarks.loop"


def minutes(run: Run) -> dict[str, float]:
    """How long each stage took."""
    before = run.asked.began.timestamp()
    found = {}
    for stage in STAGES:
        path = run.folder / f"{stage}.json"
        if path.exists():
            found[stage] = (path.stat().st_mtime - before) / 60
            before = path.stat().st_mtime
    return found


def one_night(folder: Path) -> list[Figure]:
    """The time and what came of it, and whether players like it."""
    settings, run, whole = spent(folder, population(1, PLAYERS), seed=1)
    took = minutes(run)
    exported = runs.read(run.folder / "export.json", Exported)
    verdict = read_report(run.folder / STAGED).verdict
    new, old = replies(settings, run)
    worst = max(part.champion - part.challenger for part in verdict.slices)
    worse = slices.worse(verdict.slices, verdict.settings.slice_alpha)
    golden = sum(part.cases for part in verdict.slices)
    assert run.outcome
    Console().print(f"{run.outcome.ended}: {run.outcome.summary}", markup=False)
    rated = json.loads((run.folder / "snapshot.json").read_text())["turns"]
    return [
        Figure("night_minutes_1000_turns", whole, "min", rated, "<=6"),
        *(Figure(f"night_minutes_{stage}", value, "min", rated) for stage, value in took.items()),
        Figure("night_peak_mb", runs.read(run.folder / STAGED / REPORT, Told).peak_mb, "MB", 1, "<=2000"),
        Figure("night_promoted", float(run.outcome.ended == "promoted"), "nights", 1),
        Figure("export_parity_max_abs", exported.parity.max_abs, "logits", exported.parity.positions),
        Figure("hidden_taste_preference", Taste().prefers(new, old), "share", len(new), ">=0.65"),
        Figure("golden_slices_worse", float(len(worse)), "slices", len(verdict.slices), "<=0"),
        Figure("golden_mean_difference", verdict.mean_difference, "share", golden),
        Figure("golden_worst_slice_loss", worst, "share", golden),
    ]


def night(nights: int) -> list[Figure]:
    """One night of about 1,000 rated turns."""
    with tempfile.TemporaryDirectory() as folder:
        return one_night(Path(folder))


def swapping(nights: int) -> list[Figure]:
    """Promotions and rollbacks while players talk."""
    return asyncio.run(swaps.measure())


PARTS: dict[str, Callable[[int], list[Figure]]] = {
    "night": night,
    "swaps": swapping,
    "noise": noise,
    "poison": poison,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", choices=list(PARTS), action="append", help="this part; may be repeated")
    parser.add_argument(
        "--nights", type=int, default=NIGHTS, help="of noise and of poison (20); fewer show less"
    )
    parser.add_argument("--dry", action="store_true", help="print the figures and write nothing")
    options = parser.parse_args()
    before = machine()
    measured = [figure for part in options.only or PARTS for figure in PARTS[part](options.nights)]
    if options.dry:
        show("loop", measured, before)
    else:
        figures = [*earlier("loop", measured), *measured]
        put(report("loop", " ".join([COMMAND, *sys.argv[1:]]), figures, before), PAGE)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
