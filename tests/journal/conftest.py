"""A journal in a folder of its own, and other processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import agent_runtime
from agent_runtime.journal.writer import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.duckdb"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    opened = Journal.open(path)
    yield opened
    await opened.close()


@pytest.fixture
def start_child() -> Callable[..., subprocess.Popen[str]]:
    """Starts another Python process on our package, with its output in a pipe."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        root = Path(agent_runtime.__file__).parents[1]
        environment = os.environ | {"PYTHONPATH": str(root)}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    return start
