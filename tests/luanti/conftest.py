"""Real engines for the in-game tests: this machine's own, 5.15.2 where we are root, all with --engines all.

Whatever starts here is stopped here; the server's log is shown when a test fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest

from demo.engine import Engine, machine_engine
from demo.engines import build
from demo.errors import EngineMissing
from demo.server import Server

OWN = "own"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" not in metafunc.fixturenames:
        return
    if metafunc.config.getoption("--engines") == "all":
        names = [OWN, "trixie", "sid"]
    else:
        roots = os.geteuid() == 0 and shutil.which("debootstrap")
        names = [OWN, "sid"] if roots else [OWN]
    metafunc.parametrize("engine", names, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "luanti" in item.path.parts:
            item.add_marker(pytest.mark.luanti)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine under test; skips where this machine has none and cannot build it."""
    try:
        return machine_engine() if request.param == OWN else build(request.param)
    except EngineMissing as error:
        if request.config.getoption("--engines") == "all":
            raise
        pytest.skip(str(error))


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[Server]:
    """A server of that engine in a flat world, without our mod."""
    async with Server(engine) as server:
        yield server
        print(server.log_tail(60))
