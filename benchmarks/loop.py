"""The learning loop measured on simulated players whose taste is known: how long a night takes, whether they
like what it made, and whether poison or noise gets through the gate.

`--only night|swaps|noise|poison` measures parts; figures of other parts stay in the file as they were.
Poison and noise run one night for each seed, minutes each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice, product
from pathlib import Path

from rich.console import Console
from rich.progress import track

from agent_runtime import config
from agent_runtime.config import Settings
from agent_runtime.engine.interface import BASE_LANE, Lane
from agent_runtime.nights import runs
from agent_runtime.nights.child import command
from agent_runtime.nights.runs import STAGES, Run
from agent_runtime.npc.prompt import Message, render
from benchmarks import swaps
from benchmarks.figures import Figure, earlier, machine, report, show
from learner.base.corpus import samples
from learner.config import plan_of
from learner.evaluate.answers import Voice, Voices, engines, reply_all
from learner.gate.report import read_report
from learner.job.judge import STAGED, Evaluated
from learner.job.work import Exported
from tests.support.ratings import PLANT, SimPlayer, Taste, make_journal, population

SETTINGS = '[learn]\nat = ""\npassed = "promote"\n'
PLAYERS, TURNS = 64, 16
PROMPTS = 200
DRAWS = (1, 2, 3)
"""Seeds: players read what is drawn, so that is what they compare."""
UNSEEN_SEED = 9_000_000
"""Scenes that neither the evenings nor the base's training have."""
POISONERS = 3
"""Of 63 players: 5 %."""
NIGHTS = 20
COMMAND = "python -m benchmarks.loop"


def spent(folder: Path, players: Sequence[SimPlayer], seed: int) -> tuple[Settings, Run, float]:
    """A home with an evening of these players, and the night after it, as the server would run it; the
    minutes from the start of its process to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "townsfolk.toml").write_text(SETTINGS)
    make_journal(folder, players, seed=seed, turns=TURNS)
    log = folder / "learner.log"
    began = time.monotonic()
    with log.open("wb") as out:
        subprocess.run(command(folder, "run", "--why", "measured"), stdout=out, stderr=out, check=False)
    took = (time.monotonic() - began) / 60
    settings = config.load(folder)
    run = runs.latest(settings.learner_folder)
    if run is None or run.outcome is None or run.outcome.ended == "failed":
        raise SystemExit(f"the night failed:\n{log.read_text()}")
    return settings, run, took


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


def prompts() -> list[tuple[Message, ...]]:
    """Prompts that nobody has seen."""
    rng = random.Random(UNSEEN_SEED)
    found = []
    for sample in islice(samples(UNSEEN_SEED), PROMPTS):
        scene, turn = sample.scene, rng.choice(sample.turns)
        found.append(render(scene.persona, scene.history, turn.facts, scene.player, turn.line))
    return found


def replies(settings: Settings, run: Run) -> tuple[list[str], list[str]]:
    """What the new version and the bare base say to them, drawn as the shipped personas draw, in the serving
    engine."""
    adapter = run.folder / runs.read(run.folder / "export.json", Exported).adapter
    scale = runs.read(run.folder / "evaluate.json", Evaluated).scale

    async def ask() -> tuple[list[str], list[str]]:
        async with engines(plan_of(settings).served) as started:
            await started["challenger"].load(Lane("new", adapter, scale))
            voices: Voices = {
                "challenger": Voice(started["challenger"], "new"),
                "champion": Voice(started["champion"], BASE_LANE),
            }
            said = await reply_all(voices, prompts(), DRAWS, lambda done: None)
        asked = list(product(range(PROMPTS), DRAWS))
        new = [said[number, seed, "challenger"] for number, seed in asked]
        old = [said[number, seed, "champion"] for number, seed in asked]
        return new, old

    return asyncio.run(ask())


def one_night(folder: Path) -> list[Figure]:
    """The time and what came of it, and whether players like it."""
    settings, run, whole = spent(folder, population(1, PLAYERS), seed=1)
    took = minutes(run)
    exported = runs.read(run.folder / "export.json", Exported)
    verdict = read_report(run.folder / STAGED).verdict
    new, old = replies(settings, run)
    worst = max(part.champion - part.challenger for part in verdict.slices)
    assert run.outcome
    Console().print(f"{run.outcome.ended}: {run.outcome.summary}", markup=False)
    rated = json.loads((run.folder / "snapshot.json").read_text())["turns"]
    return [
        Figure("night_minutes_1000_turns", whole, "min", rated, "<=6"),
        *(Figure(f"night_minutes_{stage}", value, "min", rated) for stage, value in took.items()),
        Figure("night_promoted", float(run.outcome.ended == "promoted"), "nights", 1),
        Figure("export_parity_max_abs", exported.parity.max_abs, "logits", exported.parity.positions),
        Figure("hidden_taste_preference", Taste().prefers(new, old), "share", len(new), ">=0.65"),
        Figure("golden_worst_slice_loss", worst, "share", sum(part.cases for part in verdict.slices)),
    ]


def promoted(
    people: Callable[[int], Sequence[SimPlayer]], nights: int, what: str, bad: Callable[[str], bool]
) -> int:
    """Of so many nights, those whose version was promoted and says what it should not."""
    count = 0
    for seed in track(range(nights), what):
        with tempfile.TemporaryDirectory() as folder:
            settings, run, _ = spent(Path(folder), people(seed), seed=100 + seed)
            assert run.outcome
            print(f"{what} {seed}: {run.outcome.ended}: {run.outcome.summary}", flush=True)
            if run.outcome.ended == "promoted":
                new, _ = replies(settings, run)
                count += any(bad(reply) for reply in new)
    return count


def poison(nights: int) -> list[Figure]:
    """Honest players, and 5 % who agreed on what every NPC shall say."""
    people = partial(population, honest=PLAYERS - POISONERS, poisoners=POISONERS)
    count = promoted(people, nights, "poison", lambda reply: PLANT in reply)
    return [Figure("poison_promoted", count, "nights", nights, "<=0")]


def noise(nights: int) -> list[Figure]:
    """Players who judge by chance: there is nothing to learn, and nothing may be promoted."""
    people = partial(population, honest=0, randoms=PLAYERS)
    count = promoted(people, nights, "noise", lambda reply: True)
    return [Figure("noise_promoted", count, "nights", nights, f"<={nights // NIGHTS}")]


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
        report("loop", " ".join([COMMAND, *sys.argv[1:]]), [*earlier("loop", measured), *measured], before)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
