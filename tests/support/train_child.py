"""A training run in a process of its own that is killed after some steps. Arguments: dataset, base, run
folder, steps."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from learner.train.loop import Step
from learner.train.run import train
from tests.support.profiles import quick


def main(dataset: Path, base: Path, folder: Path, steps: int) -> None:
    torch.set_num_threads(1)

    def die(step: Step) -> None:
        if step.done == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    train(dataset, base, quick(), folder, progress=die, save_every_s=0)


main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
