"""Broken model files: each is refused with a reason, and none takes the process down."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import pytest
from gguf import GGUFValueType as Kind

from agent_runtime.engine import ggufheader
from agent_runtime.engine.modelfile import digest, read_header
from agent_runtime.errors import ModelFileError
from tests.support.models import random_model, rewritten

MUTATIONS = 96
# Loads each file of a folder in a child of its own, and prints its name with what became of it.
LOADER = """
import os, sys
from pathlib import Path
from typing import Any
from agent_runtime.engine.backend import Row
from agent_runtime.engine.loading import Limits, load
from agent_runtime.errors import ModelFileError
for path in sorted(Path(sys.argv[1]).glob("*.gguf")):
    child = os.fork()
    if not child:
        try:
            loaded = load(path, Limits(threads=1, slots=2, context=0))
            loaded.model.decode([Row(0, 0, range(40), True)])
            os._exit(0)
        except ModelFileError:
            os._exit(1)
        except BaseException:
            os._exit(2)
    print(path.stem, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("model") / "good.gguf")


def test_reads_what_the_file_says_of_itself(model: Path) -> None:
    header = read_header(model)
    assert header.values["general.name"] == "Test Model"
    assert header.values["llama.context_length"] == 512
    assert header.lengths["tokenizer.ggml.tokens"] == header.tensors["token_embd.weight"].shape[1]


def test_digest_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("content", [b"", b"GG", b"GGUF", b"PK\x03\x04" + bytes(100), b"GGUF" + bytes(20)])
def test_what_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"x\.gguf: .*GGUF"):
        read_header(path)


def test_missing_file_and_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"none\.gguf: cannot be read: No such file"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelFileError, match="cannot be read: Is a directory"):
        read_header(tmp_path)


def test_every_truncation_is_refused(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    path = tmp_path / "cut.gguf"
    header = gguf.GGUFReader(model).data_offset
    for length in (*range(0, header, 97), header, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read_header(path)


@pytest.mark.parametrize(
    ("key", "number", "reason"),
    [
        ("llama.attention.head_count", 0, "head_count is 0"),
        ("llama.attention.head_count_kv", 3, "cannot share 3 key heads"),
        ("llama.block_count", 2**31, "block_count is 2147483648"),
        ("llama.context_length", 0, "context_length is 0"),
        ("llama.embedding_length", 7, "embedding does not fit"),
        ("tokenizer.ggml.eos_token_id", 9_999, "eos_token_id is 9999"),
        ("llama.attention.layer_norm_rms_epsilon", 0xBF800000, "epsilon is -1.0"),
    ],
)
def test_impossible_numbers_are_named(
    model: Path, tmp_path: Path, key: str, number: int, reason: str
) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(_with_value(model.read_bytes(), key, number))
    with pytest.raises(ModelFileError, match=reason):
        read_header(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"llama.rope.scaling.type": ("dynamic", Kind.STRING)}, "'dynamic', and the engine knows none, lin"),
        ({"llama.expert_count": (4, Kind.UINT32)}, "0 of 4 experts"),
        ({"llama.expert_used_count": (8, Kind.UINT32)}, "8 of 0 experts"),
        (
            {"llama.expert_count": (100_000, Kind.UINT32), "llama.expert_used_count": (2, Kind.UINT32)},
            "at most 512",
        ),
        ({"tokenizer.ggml.model": ("llama", Kind.STRING)}, "cannot spell every byte"),
    ],
)
def test_what_the_library_would_abort_on_is_refused(
    model: Path, tmp_path: Path, values: dict[str, tuple[Any, Kind]], reason: str
) -> None:
    with pytest.raises(ModelFileError, match=reason):
        read_header(rewritten(model, tmp_path / "odd.gguf", values))


@pytest.mark.parametrize("byte", ["<0x{:02X}>", "{:c}"])
def test_a_vocabulary_that_spells_every_byte_is_fine(model: Path, tmp_path: Path, byte: str) -> None:
    length = ggufheader.read(model).lengths["tokenizer.ggml.tokens"]
    spelled = [byte.format(number).encode("latin-1") for number in range(256)]
    tokens = [*spelled[1:], b"<0x00>", *(b"word %d" % number for number in range(length - 256))]
    values = {
        "tokenizer.ggml.model": ("llama", Kind.STRING),
        "tokenizer.ggml.tokens": (tokens, Kind.STRING),
    }
    assert read_header(rewritten(model, tmp_path / "bytes.gguf", values)).spells_bytes


def test_a_token_twice_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "twice.gguf"
    data = model.read_bytes()
    assert data.count(b"<|user|>" + struct.pack("<Q", len("<|assistant|>"))) == 1
    path.write_bytes(data.replace(b"<|user|>" + struct.pack("<Q", 13), b"<|end|>\0" + struct.pack("<Q", 13)))
    with pytest.raises(ModelFileError, match="token is there twice"):
        read_header(path)


def test_mutated_files_kill_no_process(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    rng = random.Random(20)
    header = gguf.GGUFReader(model).data_offset
    for number in range(MUTATIONS):
        (tmp_path / f"{number:03}.gguf").write_bytes(_mutated(data, header, rng))
    loader = subprocess.run(
        [sys.executable, "-c", LOADER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GGML_NO_BACKTRACE": "1"},
    )
    outcomes = dict(line.split() for line in loader.stdout.splitlines())
    assert len(outcomes) == MUTATIONS
    assert set(outcomes.values()) <= {"0", "1"}, loader.stderr[-2000:]
    assert list(outcomes.values()).count("1") > MUTATIONS // 2


def _mutated(data: bytes, header: int, rng: random.Random) -> bytes:
    """One change, mostly in the header, where a change means something."""
    changed = bytearray(data)
    place = rng.randrange(4, header - 8)
    match rng.randrange(5):
        case 0:
            changed[place] ^= 1 << rng.randrange(8)
        case 1:
            changed[place : place + 4] = struct.pack("<I", rng.choice([0, 1, 2**31 - 1, 2**32 - 1]))
        case 2:
            changed[place : place + 8] = struct.pack("<Q", rng.choice([0, 2**32, 2**63 - 1, 2**64 - 1]))
        case 3:
            nan = struct.pack("<f", float("nan"))
            place = rng.randrange(header, len(data) - 4) & ~3
            changed[place : place + 4] = nan
        case 4:
            del changed[rng.randrange(len(data)) :]
    return bytes(changed)


def _with_value(data: bytes, key: str, number: int) -> bytes:
    """The file with another four-byte value for `key`."""
    at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 4
    return data[:at] + struct.pack("<I", number) + data[at + 4 :]
