"""`python -m learner.base`: from nothing to `data/base/`: tokenizer, training, export, evaluation.

Every stage leaves its result in the work folder, so an interrupted run continues where it stopped.
`--quick` does all of it in about a minute with a toy size and writes nothing outside the work folder. With a
CUDA GPU the model is larger and sees more of the corpus; the shipped weights were made on a CPU.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from platformdirs import user_cache_path
from rich.console import Console

from agent_runtime.npc.prompt import system_text, user_text
from exporters.gguf import export_base
from learner.base.corpus import samples
from learner.base.evaluate import CASES, print_report, report, write_report
from learner.base.recipes import Recipe, for_device, quick
from learner.base.tokenize import Encoder, train_tokenizer
from learner.base.train import train
from learner.base.weights import blend, load_base, save_base

DATA = Path(__file__).resolve().parents[2] / "data"
TOKENIZER_SEED = 7


def tokenizer_texts(seed: int, count: int) -> list[str]:
    """What the tokenizer learns its merges from: prompts and replies of the corpus."""
    texts: list[str] = []
    for sample in itertools.islice(samples(seed), count):
        scene = sample.scene
        texts.append(system_text(scene.persona))
        texts.append(user_text(scene.player, sample.turns[0].line, sample.turns[0].facts))
        for turn in sample.turns:
            texts.extend((f"{scene.player}: {turn.line}", turn.reply))
    return texts


def build(
    recipe: Recipe, work: Path, out: Path, console: Console, start: Path | None = None, keep: float = 0.0
) -> None:
    """Run all stages; `work` keeps tokenizer, checkpoint, training log, GGUF and scores. With `start`,
    a folder of weights, training goes on from these and with their tokenizer, and the result is blended
    with them: `keep` is their share."""
    work.mkdir(parents=True, exist_ok=True)
    if start:
        shutil.copyfile(start / "tokenizer.json", work / "tokenizer.json")
    if not (work / "tokenizer.json").exists():
        with console.status("learning the tokenizer"):
            texts = tokenizer_texts(TOKENIZER_SEED, recipe.tokenizer_samples)
            train_tokenizer(texts, recipe.config.vocabulary).save(str(work / "tokenizer.json"))
    encoder = Encoder.load(work)
    model = train(recipe.config, recipe.schedule, encoder, work, start=start)
    if start and keep:
        blend(model, load_base(start), keep)
    save_base(model, encoder, out)
    gguf = export_base(out, work / "townsfolk-base-BF16.gguf")
    content = report(gguf, CASES, torch.get_num_threads(), recipe.cases)
    write_report(content, work / "scores.json")
    print_report(content, console)
    console.print(f"weights in {out}, GGUF and scores in {work}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m learner.base", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the finished files (default: data/base)")
    parser.add_argument(
        "--work", type=Path, help="folder of checkpoints (default: the platform's cache folder)"
    )
    parser.add_argument("--start", type=Path, help="go on from the weights in this folder")
    parser.add_argument("--keep", type=float, default=0.0, help="the share of these weights in the result")
    parser.add_argument("--tokens", type=int, help="end after so many tokens (160 million; CUDA: a billion)")
    parser.add_argument("--minutes", type=float, help="or after so many minutes of training")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU where there is one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1, help="with --start: another one reads other samples")
    parser.add_argument("--quick", action="store_true", help="a toy size, about a minute, for tests")
    arguments = parser.parse_args()
    if not 0 <= arguments.keep < 1 or (arguments.keep and not arguments.start):
        parser.error("--keep is from 0 to below 1, and needs --start")
    torch.set_num_threads(arguments.threads)
    work = arguments.work or user_cache_path("townsfolk") / ("base-quick" if arguments.quick else "base")
    out = arguments.out or (work / "out" if arguments.quick else DATA / "base")
    if arguments.keep and arguments.start.resolve() == out.resolve():
        parser.error("--keep needs another --out than --start: run again, it would blend what was blended")
    build(_chosen(arguments), work, out, Console(), arguments.start, arguments.keep)


def _chosen(arguments: argparse.Namespace) -> Recipe:
    """The recipe for this machine, with what the command line says of its length."""
    if arguments.quick:
        return quick()
    recipe = for_device(arguments.device)
    schedule = replace(
        recipe.schedule,
        seed=arguments.seed,
        tokens=arguments.tokens or recipe.schedule.tokens,
        seconds=60 * arguments.minutes if arguments.minutes else recipe.schedule.seconds,
    )
    return replace(recipe, schedule=schedule)


if __name__ == "__main__":
    main()
