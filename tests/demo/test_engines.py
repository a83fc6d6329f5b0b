"""Where roots of other engines come from: the mirror out of the machine's own apt sources."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent_runtime.files import locked
from demo import engines
from demo.engines import build, have, mirror
from demo.errors import EngineMissing

DEB822 = """# a comment
Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 xsFNBGCgb
"""
ONE_LINE = """# deb http://commented.example/debian bookworm main
deb [signed-by=/usr/share/keyrings/node.gpg] https://packages.example/node nodistro main
deb http://security.example/debian-security bookworm-security main
deb [arch=amd64] https://mirror.example/debian/ bookworm main
deb-src http://source.example/debian bookworm main
"""


def test_the_mirror_of_a_deb822_file(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "debian.sources").write_text(DEB822)
    assert mirror(tmp_path) == "http://mirror.example/debian"


def test_the_mirror_of_a_list_of_lines(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(ONE_LINE)
    assert mirror(tmp_path) == "https://mirror.example/debian/"


def test_no_mirror_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")
    with pytest.raises(EngineMissing, match="--mirror"):
        mirror(tmp_path)


def test_what_was_not_built_is_not_there(tmp_path: Path) -> None:
    assert have("trixie", tmp_path) is None


def test_without_root_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(EngineMissing, match="needs root"):
        build("trixie", tmp_path / "engines")
    assert not (tmp_path / "engines").exists()


def test_who_finds_another_at_it_waits_and_takes_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the lock held as another process would hold it."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(engines, "BUILD_SECONDS", 0.1)
    with locked(tmp_path / "sid.lock", 0), pytest.raises(EngineMissing, match="held by another process"):
        build("sid", tmp_path, source="http://mirror.example/debian")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["home"]
