from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from agent_runtime import files


def test_a_copy_is_hashed_and_read_only(tmp_path: Path) -> None:
    data = b"x" * (files.BLOCK + 1)
    (tmp_path / "a").write_bytes(data)
    assert files.copy(tmp_path / "a", tmp_path / "b") == (hashlib.sha256(data).hexdigest(), len(data))
    assert (tmp_path / "b").read_bytes() == data
    assert files.digest(tmp_path / "b") == hashlib.sha256(data).hexdigest()
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o444
    with pytest.raises(FileExistsError):
        files.copy(tmp_path / "a", tmp_path / "b")


def test_links_are_neither_copied_nor_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic"):
        files.copy(tmp_path / "link", tmp_path / "b")
    with pytest.raises(OSError, match="symbolic"):
        files.digest(tmp_path / "link")
    assert not (tmp_path / "b").exists()


def test_replace_leaves_the_new_contents_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for text in (b"one", b"two"):
        files.replace(folder / "a", text)
        assert (folder / "a").read_bytes() == text
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_replacement_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        files.replace(folder / "a", b"one")
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_replacement_is_begun_where_the_caller_says(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "begun").mkdir()
    files.replace(tmp_path / "folder" / "a", b"one", begun_in=tmp_path / "begun", mode=files.READ_ONLY)
    assert stat.S_IMODE((tmp_path / "folder" / "a").stat().st_mode) == files.READ_ONLY
    with pytest.raises(FileNotFoundError):
        files.replace(tmp_path / "folder" / "a", b"two", begun_in=tmp_path / "nowhere")
    assert (tmp_path / "folder" / "a").read_bytes() == b"one"


def test_a_lock_keeps_others_out_until_it_is_given_back(tmp_path: Path) -> None:
    with (
        files.locked(tmp_path / "lock", 1),
        pytest.raises(TimeoutError),
        files.locked(tmp_path / "lock", 0.05),
    ):
        raise AssertionError("two at once")
    with files.locked(tmp_path / "lock", 0.05):
        pass


def test_a_folder_goes_and_so_does_what_a_killed_process_left_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "old" / "deep").mkdir(parents=True)
    (folder / "old" / "deep" / "a").write_text("secret")
    (folder / "mine").mkdir()
    assert files.set_aside(folder / "old"), "and then it is killed"
    assert not (folder / "old").exists()
    files.remove_folder(folder / "mine")
    assert list(folder.iterdir()) == []
    files.remove_folder(folder / "mine")
