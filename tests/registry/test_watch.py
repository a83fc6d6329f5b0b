from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from agent_runtime.registry.store import Registry
from agent_runtime.registry.watch import states
from tests.support.versions import added


async def test_a_decision_is_seen_at_once_and_only_once(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    async with aclosing(states(registry, 0.01)) as seen, asyncio.timeout(5):
        assert (await anext(seen)).champion == 0
        added(registry)
        registry.promote(1, expected=0, who="ann", why="")
        assert (await anext(seen)).champion == 1
        again = asyncio.ensure_future(anext(seen))
        _, waiting = await asyncio.wait([again], timeout=0.1)
        assert waiting, "nothing changed"
        registry.rollback(who="ann", why="")
        assert (await again).champion == 0


async def test_a_log_that_cannot_be_read_is_an_alarm_and_the_next_one_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    good = registry.log_path.read_bytes()
    async with aclosing(states(registry, 0.01)) as seen, asyncio.timeout(5):
        await anext(seen)
        registry.log_path.write_bytes(b"{}\n" + good)
        coming = asyncio.ensure_future(anext(seen))
        await asyncio.sleep(0.05)
        assert not coming.done()
        registry.log_path.write_bytes(good)
        assert len((await coming).entries) == 1
    assert "registry_unreadable" in capsys.readouterr().out
