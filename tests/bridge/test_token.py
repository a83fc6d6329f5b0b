from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from agent_runtime.bridge.token import load_or_create_token
from agent_runtime.errors import ConfigError


def test_a_missing_token_is_made_for_its_owner_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "home" / "token"
    token = load_or_create_token(path)
    assert len(token) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_token(path) == token
    assert list(path.parent.iterdir()) == [path]


def test_tokens_differ(tmp_path: Path) -> None:
    assert load_or_create_token(tmp_path / "a") != load_or_create_token(tmp_path / "b")


def test_all_who_start_together_get_the_same_token(tmp_path: Path) -> None:
    tokens: list[str] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        tokens.append(load_or_create_token(tmp_path / "token"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 8
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("content", [b"", b"short\n", b"a token with spaces in it, too long", b"\xff" * 40])
def test_a_file_without_a_token_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        load_or_create_token(path)
    assert path.read_bytes() == content


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check owner and rights"):
        load_or_create_token(tmp_path)
