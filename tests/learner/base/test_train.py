from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from learner.base.model import ModelConfig
from learner.base.tokenize import Encoder
from learner.base.train import CHECKPOINT, Schedule, train

SIZE = ModelConfig(vocabulary=640, hidden=64, inner=96, layers=2)
SHORT = Schedule(tokens=12_000, seconds=1e6, batch_tokens=2000, warmup=2, log_every=1)


def losses(work: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (work / "training.jsonl").read_text().splitlines()]


def test_the_loss_falls(encoder: Encoder, tmp_path: Path) -> None:
    train(SIZE, replace(SHORT, tokens=60_000), encoder, tmp_path, quiet=True)
    seen = losses(tmp_path)
    assert seen[-1] < seen[0] - 0.5


def test_an_interrupted_run_keeps_its_work_and_goes_on(encoder: Encoder, tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "training.jsonl").exists() or not losses(tmp_path):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(SystemExit, match="continue"):
        train(SIZE, replace(SHORT, tokens=10_000_000), encoder, tmp_path, quiet=True)
    thread.join()
    done = torch.load(tmp_path / CHECKPOINT, weights_only=True)["done"]
    assert done["step"] >= 1
    train(SIZE, replace(SHORT, tokens=done["tokens"] + 4000), encoder, tmp_path, quiet=True)
    after = torch.load(tmp_path / CHECKPOINT, weights_only=True)["done"]
    assert after["step"] > done["step"]
    assert after["sample"] > done["sample"]


def test_a_finished_run_is_not_run_again(encoder: Encoder, tmp_path: Path) -> None:
    first = train(SIZE, SHORT, encoder, tmp_path, quiet=True)
    steps = len(losses(tmp_path))
    second = train(SIZE, SHORT, encoder, tmp_path, quiet=True)
    assert len(losses(tmp_path)) == steps
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_the_same_seed_trains_the_same_model(encoder: Encoder, tmp_path: Path) -> None:
    models = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        models.append(train(SIZE, SHORT, encoder, tmp_path / name, quiet=True))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")


def test_the_clock_ends_a_run_too(encoder: Encoder, tmp_path: Path) -> None:
    train(SIZE, replace(SHORT, tokens=10**9, seconds=0.5), encoder, tmp_path, quiet=True)
    done = torch.load(tmp_path / CHECKPOINT, weights_only=True)["done"]
    assert done["seconds"] < 30
    assert done["tokens"] < 10**7
