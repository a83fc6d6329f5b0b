"""`python -m benchmarks.base`: the embedded base's evaluation, and what a LoRA of an evening's size changes.

The table goes to the terminal and into `results/base.json`. The adapter is trained, exported and merged by
the product's own learner and exporters, and judged in the serving engine like the base itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, track

from agent_runtime.engine.service import LlamaEngine
from benchmarks.figures import Figure, machine
from benchmarks.figures import report as write_figures
from benchmarks.habit import SIGN_OFF, examples, trials
from benchmarks.scores import OVER_ALL
from exporters.adapter import export_adapter
from exporters.gguf import export_base
from exporters.merged import export_merged
from learner import parity
from learner.base.cases import KNOWN
from learner.base.checks import heard
from learner.base.evaluate import UNASKED, ask, print_report
from learner.base.evaluate import report as evaluate
from learner.examples import write_examples
from learner.train.backends import choose
from learner.train.loop import Step
from learner.train.profiles import profile_of
from learner.train.rows import load_encoder, make_items
from learner.train.run import ADAPTER, Trained, load_trained, train

BASE = Path(__file__).resolve().parents[1] / "data" / "base"
COMMAND = "make bench-base"
NEW_WORDINGS = "_new_wordings"
SLICES = {
    "recipe": ("recipe_exact", ">=0.95"),
    "directions": ("directions_exact", ">=0.95"),
    "facts": ("facts_exact", ">=0.95"),
    "unknown": ("unknown_admitted", ">=0.95"),
    "action": ("action_exact", ">=0.95"),
    "refusal": ("refusal_rate", ">=0.97"),
    "style": ("persona_style", ">=0.95"),
    "memory": ("memory_recall", ">=0.9"),
}
NEW = 200
TRIALS = 100
PARITY_ROWS = 4
EXPORTED = "adapter.gguf"
FINE = 50  # cases; fewer cannot tell two points from one reply


def table(content: dict[str, Any]) -> list[Figure]:
    """The evaluation's scores by the names of the figures. The goals are for names and items never seen; in
    wordings never seen either there is none."""
    scores = content["scores"]
    figures = [
        Figure(f"{name}{kind}", scores[slice]["share"], "", int(scores[slice]["cases"]), least)
        for part, (name, goal) in SLICES.items()
        for slice, kind, least in ((f"{part}{KNOWN}", "", goal), (part, NEW_WORDINGS, ""))
        if slice in scores
    ]
    for known, kind, least in ((True, "", "<=0.01"), (False, NEW_WORDINGS, "")):
        quiet = [row for row in content["rows"] if row["quiet"] and row["slice"].endswith(KNOWN) is known]
        if quiet:
            acted = sum(any(UNASKED in fault for fault in row["faults"]) for row in quiet)
            figures.append(Figure(f"false_actions{kind}", acted / len(quiet), "", len(quiet), least))
    if "distinct" in content:
        asked = 5 * min(20, int(scores["style"]["cases"]))
        figures.append(Figure("distinct_replies", content["distinct"], "", asked, ">=0.6"))
    return figures


def sizes() -> list[Figure]:
    """What is shipped."""
    config = json.loads((BASE / "config.json").read_text(encoding="utf-8"))
    hidden, inner, layers = (config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    heads = hidden * hidden * (2 + 2 * config["num_key_value_heads"] / config["num_attention_heads"])
    parameters = config["vocab_size"] * hidden + layers * (heads + 3 * hidden * inner + 2 * hidden) + hidden
    shipped = sum(path.stat().st_size for path in BASE.iterdir())
    return [
        Figure("parameters_m", parameters / 1e6, "M", 1),
        Figure("shipped_mb", shipped / 1e6, "MB", 1, "<=32"),
    ]


def learn(work: Path, new: int) -> Trained:
    """Train the habit, with as much replay as new examples."""
    dataset = work / "dataset"
    dataset.mkdir(parents=True)
    write_examples(dataset / "train.jsonl", track(examples(new, seed=1), "examples", total=2 * new))
    profile = profile_of(BASE)
    backend, why = choose(profile)
    columns = (TextColumn("training ({task.fields[loss]:.2f})"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as bar:
        bar.console.print(f"backend {backend.name}: {why}")
        task = bar.add_task("", total=None, loss=math.nan)

        def show(step: Step) -> None:
            bar.update(task, completed=step.done, total=step.total, loss=step.loss)

        return train(dataset, BASE, profile, work / "run", progress=show)


def habit(model: Path, threads: int, new_wordings: bool = False, count: int = TRIALS) -> float:
    """The share of unseen greetings whose answer, as the player reads it, ends with the sign-off."""
    cases = trials(count, 1, new_wordings)

    async def run() -> int:
        engine = LlamaEngine(model, threads=threads, slots=1)
        await engine.start()
        try:
            return sum([heard(await ask(engine, case), case.facts).endswith(SIGN_OFF) for case in cases])
        finally:
            await engine.close()

    return asyncio.run(run()) / count


def check_export(work: Path) -> parity.Parity:
    """The adapter's GGUF against the trained model, on the base in f16."""
    profile = profile_of(BASE)
    coarse = export_base(BASE, work / "base-f16.gguf", "f16")
    adapter = work / EXPORTED
    export_adapter(work / "run" / ADAPTER, BASE, adapter, version="1")
    cases = list(examples(PARITY_ROWS, seed=2))
    rows = [item.rows[0] for item in make_items(cases, load_encoder(BASE), profile.schedule.context, 1)]
    return parity.check(load_trained(BASE, work / "run", profile), coarse, adapter, rows)


def measure(console: Console, threads: int, limit: int, new: int) -> list[Figure]:
    """All figures; `limit` cases per slice at most, `new` examples of the habit."""
    work = Path(tempfile.mkdtemp(prefix="townsfolk-base-"))
    try:
        gguf = export_base(BASE, work / "base.gguf")
        before = evaluate(gguf, threads=threads, limit=limit)
        print_report(before, console)
        started = time.monotonic()
        trained = learn(work, new)
        minutes = (time.monotonic() - started) / 60
        console.print(f"export: {check_export(work)}")
        merged = export_merged(gguf, work / EXPORTED, work / "merged.gguf", version="1")
        after = evaluate(merged, threads=threads, limit=limit)
        print_report(after, console)
        was, learned = habit(gguf, threads), habit(merged, threads)
        reworded = habit(merged, threads, new_wordings=True)
    finally:
        shutil.rmtree(work)
    console.print(f"the habit: {was:.0%} before, {learned:.0%} after; {trained}")
    shares = {name: row["share"] for name, row in before["scores"].items()}
    losses = {name: shares[name] - row["share"] for name, row in after["scores"].items()}
    for name, loss in sorted(losses.items(), key=lambda entry: -entry[1]):
        console.print(f"{name}: {shares[name]:.1%} → {shares[name] - loss:.1%}")
    counts = {name: int(row["cases"]) for name, row in before["scores"].items()}
    fine = [name for name in losses if counts[name] >= FINE]
    worst = [
        Figure("lora_worst_slice_loss", max(0.0, losses[name]), "", counts[name], "<=0.02")
        for name in sorted(fine, key=lambda name: -losses[name])[:1]
    ]
    slices = [name for name in fine if name not in OVER_ALL]
    mean = sum(losses[name] for name in slices) / len(slices) if slices else 0.0
    return [
        *table(before),
        *sizes(),
        Figure("lora_minutes", minutes, "min", 1, "<=2"),
        Figure("lora_new_habit", learned, "", TRIALS, ">=0.8"),
        Figure(f"lora_new_habit{NEW_WORDINGS}", reworded, "", TRIALS),
        *worst,
        Figure("lora_mean_slice_loss", mean, "", sum(counts[name] for name in slices)),
        Figure("lora_peak_mb", trained.peak_mb, "MB", 1, "<=2000"),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.base", description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=10_000, help="cases per slice")
    parser.add_argument("--new", type=int, default=NEW, help="examples of the new habit")
    parser.add_argument("--dry", action="store_true", help="print the figures and write no file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console, before = Console(), machine()
    figures = measure(console, arguments.threads, arguments.limit, arguments.new)
    if arguments.dry:
        for figure in figures:
            console.print(f"{figure.name}: {figure.value:.4g} {figure.unit} (goal {figure.goal or 'none'})")
    else:
        write_figures("base", COMMAND, figures, before)


if __name__ == "__main__":
    main()
