"""What every test gets: no settings of the person who runs the tests, and a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        choices=("usual", "all"),
        default="usual",
        help="play the in-game tests on the usual engines, or on all, building missing ones (as root)",
    )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TOWNSFOLK_HOME; every other TOWNSFOLK_ setting is unset."""
    for name in list(os.environ):
        if name.startswith("TOWNSFOLK_") and "__" in name:
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TOWNSFOLK_HOME", str(folder))
    return folder
