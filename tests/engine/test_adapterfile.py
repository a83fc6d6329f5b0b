"""Broken and foreign adapters: each is refused with a reason that says what is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from agent_runtime.engine import modelfile
from agent_runtime.engine.adapterfile import Adapter, check
from agent_runtime.engine.ggufheader import Header
from agent_runtime.errors import AdapterError
from tests.support.adapters import random_adapter
from tests.support.models import random_model, rewritten

Q = "blk.0.attn_q.weight"
MUTATIONS = 128
# Loads each adapter of a folder in a child of its own, and prints its name with what became of it.
LOADER = """
import os, sys
from pathlib import Path
from agent_runtime.engine import adapterfile, modelfile
from agent_runtime.engine.backend import Row, Size, Version
from agent_runtime.engine.llama import Llama
from agent_runtime.errors import AdapterError
base = Path(sys.argv[1])
header = modelfile.read_header(base)
for path in sorted(Path(sys.argv[2]).glob("*.gguf")):
    child = os.fork()
    if not child:
        try:
            adapterfile.check(path, header)
            model = Llama(base)
            model.open(Size(sequences=2, cells=256, batch=64, threads=1))
            model.use(Version("a", "a", path))
            model.decode([Row(0, 0, range(40), True)])
            model.close()
            os._exit(0)
        except AdapterError:
            os._exit(1)
        except BaseException:
            os._exit(2)
    print(path.stem, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture(scope="module")
def header(base: Path) -> Header:
    return modelfile.read_header(base)


def test_a_good_adapter_says_what_it_changes(base: Path, header: Header, tmp_path: Path) -> None:
    adapter = check(random_adapter(tmp_path / "a.gguf", base, rank=4, alpha=8.0), header)
    assert len(adapter.matrices) == 8
    assert adapter.digest == modelfile.digest(tmp_path / "a.gguf")
    tensors = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    expected = 8.0 / 4 * (tensors[f"{Q}.lora_b"] @ tensors[f"{Q}.lora_a"])
    np.testing.assert_allclose(adapter.delta(Q), expected, rtol=1e-5)


def test_half_precision_is_read_too(base: Path, header: Header, tmp_path: Path) -> None:
    half = {f"{Q}.lora_a": np.full((4, 64), 0.5, np.float16), f"{Q}.lora_b": np.full((64, 4), 2, np.float16)}
    adapter = check(random_adapter(tmp_path / "a.gguf", base, alpha=4.0, replaced=half), header)
    assert (adapter.delta(Q) == 4).all()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"architecture": "qwen2"}, "architecture 'qwen2'"),
        ({"kind": "control_vector"}, "not a LoRA"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"replaced": {f"{Q}.lora_a": np.ones((4, 60), np.float32)}}, "shapes"),
        ({"replaced": {f"{Q}.lora_b": np.ones((64, 5), np.float32)}}, "shapes"),
        ({"replaced": {f"{Q}.lora_a": np.full((4, 64), np.nan, np.float32)}}, "NaN"),
        ({"replaced": {f"{Q}.lora_b": np.full((64, 4), -np.inf, np.float32)}}, "NaN or inf"),
        ({"replaced": {"blk.9.attn_q.weight.lora_a": np.ones((4, 64), np.float32)}}, "both halves"),
        ({"replaced": {"more.weight": np.ones((4, 64), np.float32)}}, "both halves"),
        (
            {
                "replaced": {
                    "blk.9.attn_q.weight.lora_a": np.ones((4, 64), np.float32),
                    "blk.9.attn_q.weight.lora_b": np.ones((64, 4), np.float32),
                }
            },
            "no matrix of the base",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    base: Path, header: Header, tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    path = random_adapter(tmp_path / "a.gguf", base, **settings)  # type: ignore[arg-type]
    with pytest.raises(AdapterError, match=f"{path}: .*{reason}"):
        check(path, header)


def test_an_alpha_of_another_type_is_refused_for_the_library_aborts_on_it(
    base: Path, header: Header, tmp_path: Path
) -> None:
    adapter = random_adapter(tmp_path / "a.gguf", base)
    wide = {"adapter.lora.alpha": (8.0, gguf.GGUFValueType.FLOAT64)}
    with pytest.raises(AdapterError, match="alpha is no 32-bit float"):
        check(rewritten(adapter, tmp_path / "wide.gguf", wide), header)


def test_a_model_is_no_adapter(base: Path, header: Header) -> None:
    with pytest.raises(AdapterError, match="not a LoRA"):
        check(base, header)


def test_a_missing_file_is_named(header: Header, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"absent\.gguf: cannot be read"):
        check(tmp_path / "absent.gguf", header)


def test_cut_off_anywhere_it_is_refused(base: Path, header: Header, tmp_path: Path) -> None:
    data = random_adapter(tmp_path / "a.gguf", base).read_bytes()
    for share in (0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999):
        (tmp_path / "cut.gguf").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(AdapterError):
            check(tmp_path / "cut.gguf", header)


def test_a_changed_byte_is_refused_or_read_whole(base: Path, header: Header, tmp_path: Path) -> None:
    data = bytearray(random_adapter(tmp_path / "a.gguf", base).read_bytes())
    rng = random.Random(3)
    for _ in range(100):
        changed = bytearray(data)
        changed[rng.randrange(2_000)] ^= 1 << rng.randrange(8)
        (tmp_path / "changed.gguf").write_bytes(changed)
        try:
            adapter = check(tmp_path / "changed.gguf", header)
        except AdapterError:
            continue
        assert isinstance(adapter, Adapter)
        assert all(np.isfinite(adapter.delta(name)).all() for name in adapter.matrices)


def test_mutated_files_kill_no_process(base: Path, tmp_path: Path) -> None:
    data = random_adapter(tmp_path / "good", base).read_bytes()
    rng = random.Random(21)
    for number in range(MUTATIONS):
        (tmp_path / f"{number:03}.gguf").write_bytes(_mutated(data, rng))
    loader = subprocess.run(
        [sys.executable, "-c", LOADER, str(base), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GGML_NO_BACKTRACE": "1"},
    )
    outcomes = [line.split()[1] for line in loader.stdout.splitlines()]
    assert len(outcomes) == MUTATIONS
    assert set(outcomes) == {"0", "1"}, loader.stderr[-2000:]


def _mutated(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(4, 2_000)
        match rng.randrange(4):
            case 0:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place] = rng.randrange(256)
            case 2:
                changed[place : place + 4] = rng.choice([bytes(4), b"\xff" * 4, b"\xff\xff\xff\x7f"])
            case 3:
                changed[place : place + 8] = rng.choice([bytes(8), b"\xff" * 8])
    return bytes(changed)
