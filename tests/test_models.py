"""Model files: the embedded one is made once, others are fetched, resumed, checked, or refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from agent_runtime.config import share_dir
from agent_runtime.engine.modelfile import read_header
from agent_runtime.errors import DownloadError, ModelFileError
from agent_runtime.models import embedded_model, pull
from tests.support.hub import Hub, serving
from tests.support.models import random_model

REPO, FILE = "somebody/small-model", "small-model-q8_0.gguf"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return random_model(tmp_path_factory.mktemp("model") / "m.gguf").read_bytes()


@pytest.fixture
def hub(content: bytes) -> Iterator[Hub]:
    with serving() as hub:
        hub.files[f"{REPO}/{FILE}"] = content
        yield hub


def test_a_file_is_fetched_into_the_models_folder(hub: Hub, home: Path, content: bytes) -> None:
    told: list[tuple[int, int]] = []
    path = pull(REPO, FILE, home, endpoint=hub.endpoint, progress=lambda *done: told.append(done))
    assert path == home / "models" / FILE
    assert path.read_bytes() == content
    assert told[0] == (0, len(content))
    assert told[-1] == (len(content), len(content))


def test_a_broken_transfer_goes_on_where_it_ended(hub: Hub, home: Path) -> None:
    # The library writes pieces of 10 MiB, so only a larger file can show it.
    content = random_model(home / "large.gguf", width=448).read_bytes()
    hub.files[f"{REPO}/{FILE}"] = content
    hub.break_after, hub.breaks = 11 * 2**20, 1
    path = pull(REPO, FILE, home, endpoint=hub.endpoint, progress=lambda *_: None)
    assert path.read_bytes() == content
    assert hub.asked == [None, f"bytes={10 * 2**20}-"]


def test_a_later_run_goes_on_where_the_last_one_ended(hub: Hub, home: Path, content: bytes) -> None:
    (home / "models").mkdir()
    (home / "models" / f"{sha256(content).hexdigest()}.part").write_bytes(content[:150_000])
    told: list[int] = []
    path = pull(REPO, FILE, home, endpoint=hub.endpoint, progress=lambda there, _: told.append(there))
    assert path.read_bytes() == content
    assert hub.asked == ["bytes=150000-"]
    assert told[0] == 150_000
    assert os.listdir(home / "models") == [FILE]


def test_what_came_is_kept_when_the_server_fails(hub: Hub, home: Path, content: bytes) -> None:
    (home / "models").mkdir()
    part = home / "models" / f"{sha256(content).hexdigest()}.part"
    part.write_bytes(content[:150_000])
    hub.broken = True
    with pytest.raises(DownloadError, match="500; try again later"):
        pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert part.read_bytes() == content[:150_000]


def test_what_is_there_already_is_not_fetched_again(hub: Hub, home: Path) -> None:
    first = pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert pull(REPO, FILE, home, endpoint=hub.endpoint) == first
    assert len(hub.asked) == 1


def test_a_wrong_checksum_is_refused_and_nothing_stays(hub: Hub, home: Path) -> None:
    hub.digests[f"{REPO}/{FILE}"] = "ab" * 32
    with pytest.raises(DownloadError, match="checksum is wrong"):
        pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert os.listdir(home / "models") == []


def test_a_damaged_part_is_noticed(hub: Hub, home: Path, content: bytes) -> None:
    (home / "models").mkdir()
    part = home / "models" / f"{sha256(content).hexdigest()}.part"
    part.write_bytes(bytes(1_000))
    with pytest.raises(DownloadError, match="checksum is wrong"):
        pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert pull(REPO, FILE, home, endpoint=hub.endpoint).read_bytes() == content


def test_a_file_that_is_no_model_is_refused(hub: Hub, home: Path) -> None:
    hub.files[f"{REPO}/{FILE}"] = b"<html>please sign in</html>"
    with pytest.raises(ModelFileError, match="not a GGUF file"):
        pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert os.listdir(home / "models") == []


@pytest.mark.parametrize(
    ("repo", "file", "revision", "message"),
    [
        ("nobody/nothing", FILE, "main", "no such repository"),
        (REPO, "other.gguf", "main", "holds no file 'other.gguf'"),
        (REPO, FILE, "v9", "no revision 'v9'"),
        ("not a repo", FILE, "main", "not a repo"),
        (REPO, "config.json", "main", "ends in .gguf"),
    ],
)
def test_what_is_not_there_is_named(
    hub: Hub, home: Path, repo: str, file: str, revision: str, message: str
) -> None:
    hub.files[f"{REPO}/config.json"] = b"{}"
    with pytest.raises(DownloadError, match=message):
        pull(repo, file, home, endpoint=hub.endpoint, revision=revision)


def test_a_file_without_a_sha256_is_refused(hub: Hub, home: Path) -> None:
    hub.digests[f"{REPO}/{FILE}"] = "0" * 40
    with pytest.raises(DownloadError, match="no sha256"):
        pull(REPO, FILE, home, endpoint=hub.endpoint)


def test_a_server_that_is_not_there_is_named(home: Path) -> None:
    with serving() as gone:
        pass
    with pytest.raises(DownloadError, match="cannot be reached"):
        pull(REPO, FILE, home, endpoint=gone.endpoint)


def test_another_endpoint_never_sees_the_hubs_token(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(REPO, FILE, home, endpoint=hub.endpoint)
    assert set(hub.authorized) == {None}


def test_the_runtime_starts_without_the_download_library() -> None:
    script = "import sys, agent_runtime.models; sys.exit('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.skipif(
    not (share_dir() / "data" / "base" / "model.safetensors").is_file(), reason="the base is not trained yet"
)
def test_the_embedded_model_is_made_once(home: Path) -> None:
    path = embedded_model(home)
    assert path.parent == home / "models"
    assert read_header(path).values["general.architecture"] == "llama"
    made = path.stat()
    assert embedded_model(home) == path
    assert path.stat() == made
