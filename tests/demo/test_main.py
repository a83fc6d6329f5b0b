"""`python -m demo` as it is called: its exit status says how it went, and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent


async def called(*arguments: str, env: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "demo", *arguments),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.luanti
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_play_stays_open_until_told_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    demo = await called("play", env={"TMPDIR": str(tmp_path), "COLUMNS": "200"})
    assert demo.stdout
    said = ""
    while "Ctrl-C ends it" not in said:
        line = await asyncio.wait_for(demo.stdout.readline(), 60)
        assert line, said
        said += line.decode()
    assert "--address 127.0.0.1 --port" in said
    children = psutil.Process(demo.pid).children(recursive=True)
    assert len(children) == 2
    demo.send_signal(number)
    assert await asyncio.wait_for(demo.wait(), 30) == status
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    assert not [name for name in os.listdir(tmp_path) if name.startswith("townsfolk-")]


async def test_without_a_server_it_says_what_to_install(tmp_path: Path) -> None:
    """No server is found where PATH leads nowhere and the usual places are empty."""
    script = (
        "import sys; from demo import engine; engine.PLACES = (); sys.argv = ['demo']; "
        "from demo.__main__ import main; sys.exit(main())"
    )
    demo = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", script),
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await demo.communicate()
    assert demo.returncode == 1
    assert "failed: no Luanti server found" in out.decode()
    assert "apt install" in out.decode()
