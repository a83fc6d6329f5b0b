"""What a player hears who has to wait, or goes in the middle of a reply, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from agent_runtime.engine.interface import Chunk, Finish, Request
from agent_runtime.registry.status import StatusFiles
from tests.support.engine import Reply, ScriptedEngine
from tests.support.game import MIRA, SERVER, Game, chat, hello
from tests.support.runtime import Running, town

TWO = hello(players=["alice", "bob"])


async def done(game: Game, player: str) -> dict[str, Any]:
    """The end of the reply to this player; what others hear is skipped."""
    async with asyncio.timeout(10):
        while True:
            message = await game.receive()
            if message["type"] == "reply_done" and message["player"] == player:
                return message


async def turns(running: Running, count: int) -> dict[str, Any]:
    """The turns by player, once there are so many."""
    async with asyncio.timeout(10):
        while len(found := await running.queries.turns()) < count:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    names = {running.pseudonyms.of(SERVER, name): name for name in ("alice", "bob")}
    return {names[turn.player]: turn for turn in found}


async def test_the_deadline_counts_the_wait_for_others(tmp_path: Path) -> None:
    """Bob's turn comes when alice's is over; what is left of his time is less than his reply takes."""
    engine = ScriptedEngine([Reply("Coal and a stick.", first=0.7), Reply("Far too late.", first=1.2)])
    async with (
        town(tmp_path, engine, npc_talks=1, deadline_s=1.5) as running,
        Game(running.port, greeting=TWO) as game,
    ):
        await game.send(chat("how do I make a torch?"))
        await game.send(chat("and where is the river?", player="bob"))
        assert (await done(game, "alice"))["source"] == "model"
        heard = await done(game, "bob")
        assert (heard["source"], heard["text"]) == ("late", "Ask me once more?")
        written = await turns(running, 2)
        assert written["bob"].source == "late"
        assert written["bob"].total_ms >= 1450, "milliseconds count from the line's arrival"
        assert await running.memory.recall(MIRA, written["bob"].player) == []
    memo = StatusFiles(tmp_path / "registry").memo()
    assert memo is not None
    assert (memo.tallies[0].turns, memo.tallies[0].failures) == (1, 0), "no version is blamed for the wait"


async def test_first_words_are_remembered_with_how_many_talked(tmp_path: Path) -> None:
    engine = ScriptedEngine([Reply("Coal and a stick.", first=0.3), Reply("Down the hill.", first=0.3)])
    async with town(tmp_path, engine) as running, Game(running.port, greeting=TWO) as game:
        await game.send(chat("how do I make a torch?"))
        await game.send(chat("and where is the river?", player="bob"))
        await turns(running, 2)
    memo = StatusFiles(tmp_path / "registry").memo()
    assert memo is not None
    assert [took.crowd for took in memo.tallies[0].first_words] == [2, 2]


class Hanging(ScriptedEngine):
    """An engine that does not keep a deadline."""

    async def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        self.requests.append(request)
        await asyncio.sleep(60)
        yield Chunk("")


async def test_who_waits_until_the_deadline_hears_so_and_the_engine_is_not_asked(tmp_path: Path) -> None:
    engine = Hanging()
    async with (
        town(tmp_path, engine, npc_talks=1, deadline_s=0.5) as running,
        Game(running.port, greeting=TWO) as game,
    ):
        await game.send(chat())
        await game.send(chat(player="bob"))
        assert (await done(game, "bob"))["source"] == "late"
        assert [request.player for request in engine.requests] == ["alice"]


async def test_a_reply_that_was_broken_off_is_written_down_as_it_was(tmp_path: Path) -> None:
    engine = ScriptedEngine([Reply("Take one coal. word ", between=0.02, endless=True)])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await game.send(chat("how do I make a torch?"))
        for _ in range(4):
            assert (await game.receive())["type"] == "reply_delta"
        await game.send({"type": "player_left", "player": "alice"})
        summary = (await turns(running, 1))["alice"]
        turn = await running.queries.turn(summary.id)
    assert turn is not None
    assert (turn.source, turn.finish) == ("model", None)
    assert turn.reply.startswith("Take one coal. word")
    assert turn.raw.startswith(turn.reply)
    assert turn.prompt[-1].content.endswith("alice: how do I make a torch?")
    assert turn.first_sentence_ms is not None
    assert turn.total_ms is not None
    assert turn.total_ms >= turn.first_sentence_ms > 0
