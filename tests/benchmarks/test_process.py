"""A peer in a process of its own answers order by order, and its end is noticed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from benchmarks import models
from benchmarks.peers.process import Peer, busy_core
from tests.support.engine import Reply, ScriptedEngine
from tests.support.openai_server import OpenAIServer


def test_ours_and_the_bare_loop_measure_the_same_things(tmp_path: Path) -> None:
    model = models.embedded(tmp_path)
    adapter = models.adapter(model, 1, tmp_path)
    with Peer("raw", str(model), "1", "2") as raw, Peer("ours", str(model), "1", "2", str(adapter)) as ours:
        for peer in (raw, ours):
            assert peer.do("cold") > 0
            assert peer.do("cached") > 0
            assert peer.do("decode", count=2, tokens=8) > 0
        assert len(ours.do("arrivals", count=2)) == 2
        assert ours.do("swap", count=2, tokens=12, number=0)["dropped"] == 0
        median, late, worst = ours.do("delays", count=2, tokens=8)
        assert median <= late <= worst


def test_the_high_level_class_is_asked_the_same(tmp_path: Path) -> None:
    with Peer("high_level", str(models.embedded(tmp_path)), "1") as peer:
        assert peer.do("cached") > 0
        assert peer.do("decode", count=2, tokens=8) > 0


async def test_a_server_is_asked_the_same() -> None:
    engine = ScriptedEngine([Reply("so many words to be said by a server", between=0.002)])
    await engine.start()

    def ask(url: str) -> list[float]:
        with Peer("server", url, "4") as peer:
            firsts = peer.do("arrivals", count=3)
            return [peer.do("cold"), peer.do("cached"), peer.do("decode", count=2, tokens=8), *firsts]

    async with OpenAIServer(engine) as server:
        told = await asyncio.to_thread(ask, server.url)
    assert len(told) == 6
    assert min(told) > 0


def test_a_peer_that_ends_is_an_error() -> None:
    with Peer("high_level", "no such file", "1") as peer, pytest.raises(RuntimeError, match="ended"):
        peer.do("cold")


def test_a_neighbour_is_there_only_while_it_is_wanted() -> None:
    before = set(psutil.Process().children())  # earlier tests may have left Python's own helpers
    with busy_core(True):
        assert set(psutil.Process().children()) > before
    assert set(psutil.Process().children()) == before
    with busy_core(False):
        assert set(psutil.Process().children()) == before
