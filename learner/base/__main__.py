"""`python -m learner.base`: from nothing to a model folder: tokenizer, training, files. Resumable."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import torch
from platformdirs import user_cache_path
from rich.console import Console

from agent_runtime.npc.prompt import system_text, user_text
from learner.base.corpus import samples
from learner.base.model import ModelConfig
from learner.base.tokenize import Encoder, train_tokenizer
from learner.base.train import Schedule, train
from learner.base.weights import save_base


def tokenizer_texts(seed: int, count: int) -> list[str]:
    """What the tokenizer learns its merges from: prompts and replies of the corpus."""
    texts: list[str] = []
    for sample in itertools.islice(samples(seed), count):
        scene = sample.scene
        texts.append(system_text(scene.persona))
        texts.append(user_text(scene.player, sample.turns[0].line, scene.facts))
        for turn in sample.turns:
            texts.extend((f"{scene.player}: {turn.line}", turn.reply))
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m learner.base", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=user_cache_path("townsfolk") / "base")
    parser.add_argument("--tokens", type=int, default=30_000_000)
    parser.add_argument("--minutes", type=float, default=100.0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    console = Console()
    if not (work / "tokenizer.json").exists():
        console.print("learning the tokenizer")
        train_tokenizer(tokenizer_texts(7, 6000)).save(str(work / "tokenizer.json"))
    encoder = Encoder.load(work)
    config = ModelConfig(vocabulary=encoder.tokenizer.get_vocab_size())
    schedule = Schedule(tokens=arguments.tokens, seconds=arguments.minutes * 60)
    model = train(config, schedule, encoder, work)
    save_base(model, encoder, arguments.out)


if __name__ == "__main__":
    main()
