"""A sealed snapshot of a simulated town, made once for all tests that only read it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_runtime.journal.sealed import Scope
from agent_runtime.journal.snapshot import seal
from agent_runtime.journal.source import open_source
from tests.support.ratings import make_journal, population


@pytest.fixture(scope="session")
def evening() -> Iterator[Path]:
    """A home: eighteen honest players, a poisoner, a hasty one, a newcomer, and one who does not consent."""
    home = Path(tempfile.mkdtemp())
    players = population(1, 18, poisoners=1, hasty=1, newcomers=1, unconsenting=1)
    # Who is new is told by the snapshot's time, which is the present.
    make_journal(home, players, 1, turns=40, scenes=12, end=datetime.now(UTC))
    with open_source(home / "journal.duckdb") as source:
        seal(source.snapshot(Scope()), home / "sealed")
    yield home
    shutil.rmtree(home)
