"""Finding a server program and entering a root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from demo import engine
from demo.engine import Engine, inspect, machine_engine, within_root
from demo.errors import EngineMissing


def program(folder: Path, name: str, version: str, games: str) -> Path:
    """A stand-in for a server program that tells its version and its games."""
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" || printf "{games}"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("says", "games", "version", "game"),
    [
        ("Minetest 5.6.1 (Linux)", "devtest\\nminetest\\n", "5.6.1", "minetest"),
        ("Luanti 5.15.2 (Linux)", "devtest\\nminetest_game\\n", "5.15.2", "minetest_game"),
    ],
)
def test_a_program_is_asked_for_its_version_and_games(
    tmp_path: Path, says: str, games: str, version: str, game: str
) -> None:
    path = program(tmp_path, "server", says, games)
    assert inspect(str(path)) == Engine(version, str(path), game)


def test_a_program_without_a_game_is_no_use(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="devtest"):
        inspect(str(program(tmp_path, "server", "Luanti 5.15.2 (Linux)", "devtest\\n")))


def test_something_else_is_not_taken_for_a_server(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="does not tell a version"):
        inspect(str(program(tmp_path, "server", "Quake 3", "")))


def test_a_newer_name_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "minetestserver", "Minetest 5.6.1 (Linux)", "minetest\\n")
    program(tmp_path, "luantiserver", "Luanti 5.15.2 (Linux)", "minetest_game\\n")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine_engine().version == "5.15.2"


def test_no_server_is_said_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine, "PLACES", ())
    with pytest.raises(EngineMissing, match="apt install minetest-server"):
        machine_engine()


def test_the_machines_own_engine_is_started_as_it_is() -> None:
    own = Engine("5.6.1", "/usr/games/minetestserver", "minetest")
    assert own.command(["--world", "/a b"], shared=Path("/tmp")) == [
        "/usr/games/minetestserver",
        "--world",
        "/a b",
    ]


def test_a_root_is_entered_in_a_mount_namespace_of_its_own(tmp_path: Path) -> None:
    shared = tmp_path / "the world"
    command = within_root(Path("/a root"), ["server", "--world", "a b"], shared)
    assert command[:4] == ["unshare", "--mount", "sh", "-c"]
    script = command[4]
    assert "mount -t proc proc '/a root'/proc" in script
    assert f"mount --bind '{shared}' '/a root{shared}'" in script
    assert script.endswith("exec chroot '/a root' server --world 'a b'")
