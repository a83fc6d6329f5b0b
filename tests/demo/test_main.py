"""`python -m demo` as it is called: its exit status says how it went, and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from demo import scene
from demo.player import Player
from demo.ports import free_port, own_addresses
from demo.stage import NPC
from demo.talk import find_npc

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


@asynccontextmanager
async def opened(*arguments: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`play` with its scratch folder below `folder`, and what it said until it was open."""
    demo = await called("play", *arguments, env={"TMPDIR": str(folder), "COLUMNS": "200"})
    assert demo.stdout
    said = ""
    try:
        while "Ctrl-C ends it" not in said:
            line = await asyncio.wait_for(demo.stdout.readline(), 60)
            assert line, said
            said += line.decode()
        yield demo, said
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()


def left_in(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith("townsfolk-")]


@pytest.mark.luanti
async def test_the_scene_is_played_with_right_answers_and_leaves_nothing(tmp_path: Path) -> None:
    demo = await called("scene", env={"TMPDIR": str(tmp_path), "COLUMNS": "120"})
    out, _ = await asyncio.wait_for(demo.communicate(), 100)
    said = out.decode()
    assert demo.returncode == 0, said
    for line in scene.LINES:
        assert f"alice  {line}" in said
    assert "alice types /npc good: Thank you" in said
    for line in scene.EXPECTED:
        assert re.search(rf"“{re.escape(line)}”\s+│ right", said), said
    assert re.search(r"turns in the journal, all by the model\s+│ 5 ", said), said
    assert not left_in(tmp_path)


@pytest.mark.luanti
@pytest.mark.slow
@pytest.mark.timeout(1500)
async def test_the_demo_goes_on_through_a_night_and_back(tmp_path: Path) -> None:
    demo = await called(env={"TMPDIR": str(tmp_path), "COLUMNS": "120"})
    out, _ = await asyncio.wait_for(demo.communicate(), 1400)
    said = out.decode()
    assert "The gate on version 1" in said
    assert demo.returncode == 0, said
    assert "version 0 is the champion again" in said
    assert "after the rollback" in said
    assert not left_in(tmp_path)


@pytest.mark.luanti
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_play_stays_open_until_told_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    async with opened(folder=tmp_path) as (demo, said):
        assert "--address 127.0.0.1 --port" in said
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) == 2
        demo.send_signal(number)
        rest, _ = await asyncio.wait_for(demo.communicate(), 30)
        assert demo.returncode == status
        assert "the world, the journal and the logs are removed" in rest.decode()
        assert not [child for child in children if child.is_running() and child.status() != "zombie"]
        assert not left_in(tmp_path)


@pytest.mark.luanti
async def test_play_can_be_opened_to_other_machines(tmp_path: Path) -> None:
    port = free_port("0.0.0.0")
    async with opened("--address", "0.0.0.0", "--port", str(port), folder=tmp_path) as (_, said):
        assert "join 0.0.0.0" not in said
        for address in own_addresses():
            assert address in said
            async with await Player.join(address, port, "bob", "word") as bob:
                await bob.until(lambda: find_npc(bob, NPC), within=10, what="the sight of Mira")


async def test_play_on_an_address_of_another_machine_says_which_there_are() -> None:
    demo = await called("play", "--address", "192.0.2.7", env={"COLUMNS": "200"})
    out, _ = await demo.communicate()
    assert demo.returncode == 1
    assert "failed: cannot listen on 192.0.2.7" in out.decode()
    assert "give one of 0.0.0.0, 127.0.0.1" in out.decode()


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
