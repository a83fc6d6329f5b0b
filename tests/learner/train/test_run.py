from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from agent_runtime.errors import TrainingError
from learner.train.log import PICTURE, read_log
from learner.train.loop import Progress, Step
from learner.train.run import Trained, load_trained, train
from tests.support.profiles import quick

ROOT = Path(__file__).parents[3]


def weights(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def whole(base: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(dataset, base, quick(), folder)


def test_a_run_leaves_adapter_metrics_and_picture_and_is_the_same_again(
    base: Path, dataset: Path, tmp_path: Path, whole: tuple[Path, Trained]
) -> None:
    seen: list[Step] = []
    first = train(dataset, base, quick(), tmp_path / "a", progress=seen.append)
    assert first.reason == "finished"
    assert first.examples == 16
    assert [step.done for step in seen] == list(range(1, first.steps + 1))
    assert seen[-1].total == first.steps
    rows = read_log(tmp_path / "a")
    steps = [row for row in rows if "losses" in row]
    assert len(steps) == first.steps
    assert {"sft", "kto", "dpo"} == {name for row in steps for name in row["losses"]}
    assert all(row["tokens_per_s"] > 0 and row["memory_mb"] > 0 and row["learning_rate"] > 0 for row in steps)
    checks = [row["validation"] for row in rows if "validation" in row]
    assert len(checks) == 3  # before the first step, and after each epoch
    assert checks[-1]["sft"] < checks[0]["sft"]
    assert (tmp_path / "a" / "loss.png").read_bytes().startswith(b"\x89PNG")
    config = json.loads((tmp_path / "a" / "adapter" / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 8, 16)
    assert str(tmp_path) not in json.dumps(config)
    assert not (tmp_path / "a" / "checkpoint.pt").exists()
    assert whole[1].adapter_hash == first.adapter_hash
    other = train(dataset, base, quick(), tmp_path / "c", seed=2)
    assert other.adapter_hash != first.adapter_hash


def test_a_run_ends_after_the_steps_it_may_take_and_says_what_trains(
    base: Path, dataset: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    profile = quick(schedule={"steps": 3, "epochs": 50})
    trained = train(dataset, base, profile, tmp_path, say=said.append)
    assert (trained.steps, trained.reason) == (3, "finished")
    rows = read_log(tmp_path)
    assert len([row for row in rows if "validation" in row]) == 2, "before the first step and after the last"
    assert rows[-2]["learning_rate"] < 0.6 * profile.schedule.learning_rate, "the rate falls by then"
    assert said == ["cpu: a small base trains as it is"]


def test_a_finished_run_is_not_done_twice_and_its_folder_is_no_place_for_another(
    base: Path, dataset: Path, tmp_path: Path
) -> None:
    profile = quick(schedule={"epochs": 1})
    first = train(dataset, base, profile, tmp_path)
    assert train(dataset, base, profile, tmp_path, progress=lambda _: pytest.fail("trained")) == first
    with pytest.raises(TrainingError) as caught:
        train(dataset, base, profile, tmp_path, seed=9)
    assert caught.value.reason == "other_run"


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(
    base: Path, dataset: Path, tmp_path: Path, whole: tuple[Path, Trained]
) -> None:
    steps = 7  # in the second epoch
    undisturbed, result = whole
    command = [sys.executable, "-m", "tests.support.train_child", dataset, base, tmp_path / "killed", steps]
    ran = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()
    assert not (tmp_path / "killed" / "adapter").exists()
    seen: list[Step] = []
    killed = train(dataset, base, quick(), tmp_path / "killed", progress=seen.append)
    assert seen[0].done == steps + 1
    assert killed.steps == result.steps
    assert killed.tokens == result.tokens
    for name, values in weights(undisturbed).items():
        assert np.allclose(values, weights(tmp_path / "killed")[name], atol=1e-6)
    logged = [row["step"] for row in read_log(tmp_path / "killed") if "losses" in row]
    assert logged == list(range(1, result.steps + 1))


def test_a_base_with_broken_weights_stops_the_run(base: Path, dataset: Path, tmp_path: Path) -> None:
    broken = tmp_path / "base"
    broken.mkdir()
    for path in base.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"] = np.full_like(tensors["model.norm.weight"], np.nan)
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError) as caught:
        train(dataset, broken, quick(), tmp_path / "run")
    assert caught.value.reason == "nan"
    assert (tmp_path / "run" / PICTURE).exists()


def test_a_run_that_learns_nothing_says_so(base: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="before") as caught:
        train(dataset, base, quick(schedule={"learning_rate": 0.0}), tmp_path)
    assert caught.value.reason == "no_progress"


def test_too_much_memory_stops_the_run(base: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"budget\.memory_mb is 50") as caught:
        train(dataset, base, quick(budget={"memory_mb": 50}), tmp_path)
    assert caught.value.reason == "out_of_memory"


def allocate(_: Step) -> None:
    torch.empty(2**55)


def lack_on_the_gpu(_: Step) -> None:
    raise torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later")


def lack_without_a_word(_: Step) -> None:
    raise MemoryError


@pytest.mark.parametrize("fill", [allocate, lack_on_the_gpu, lack_without_a_word])
def test_an_allocation_that_fails_is_a_reason_and_no_traceback(
    base: Path, dataset: Path, tmp_path: Path, fill: Progress
) -> None:
    with pytest.raises(TrainingError, match=r"lower schedule\.batch_tokens") as caught:
        train(dataset, base, quick(), tmp_path, progress=fill)
    assert caught.value.reason == "out_of_memory"


def test_a_trained_adapter_that_cannot_be_loaded_is_an_error_with_a_reason(
    base: Path, tmp_path: Path, whole: tuple[Path, Trained]
) -> None:
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes((whole[0] / "adapter" / weights.name).read_bytes()[:-100])
    with pytest.raises(TrainingError, match="cannot be loaded") as caught:
        load_trained(base, tmp_path, quick())
    assert caught.value.reason == "backend"


def test_the_time_budget_ends_a_run_with_what_it_has(base: Path, dataset: Path, tmp_path: Path) -> None:
    trained = train(dataset, base, quick(budget={"minutes": 0}), tmp_path)
    assert trained.reason == "time_budget"
    assert trained.steps == 1
    assert any(values.any() for name, values in weights(tmp_path).items() if "lora_B" in name)


@pytest.mark.parametrize("content", ["", '{"id": 1}\n', "not json\n"])
def test_no_data_is_a_reason(base: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "train.jsonl").write_text(content)
    with pytest.raises(TrainingError) as caught:
        train(tmp_path, base, quick(), tmp_path / "run")
    assert caught.value.reason == "no_data"
