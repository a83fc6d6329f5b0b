"""Simulated players on the runtime's real link: what they say and judge is in the journal."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.journal.views import Filter
from demo.population import Population, better, likes
from tests.support.engine import ScriptedEngine
from tests.support.game import TOKEN
from tests.support.runtime import town

LONG = "I have been standing here since the first light of the day."


def test_their_taste() -> None:
    assert not likes("bye", LONG)
    assert likes("bye", better(LONG))
    assert likes("how do I make a torch?", LONG)
    assert better(better(LONG)) == better(LONG)


async def test_everybody_talks_allows_and_rates(tmp_path: Path) -> None:
    engine = ScriptedEngine([LONG, "Good day."])
    limits = {"npc_talks": 64, "npc_queue": 64}
    told: list[int] = []
    async with (
        town(tmp_path, engine, **limits) as running,
        Population(running.port, TOKEN, 5) as people,
    ):
        evening = await people.evening(3, lambda count, reply: told.append(count))
        assert (evening.turns, evening.ratings) == (15, 15)
        assert told == list(range(1, 16))
        assert 0 < evening.liked < 1
        ratings = await running.queries.ratings(Filter(limit=100))
        assert len({rating.player for rating in ratings}) == 5
        assert sum(rating.value == 1 for rating in ratings) > 0
        assert len(await running.queries.consents(Filter(limit=100))) == 5
        last = min(ratings, key=lambda rating: rating.rated_at)
        assert last.player != ratings[0].player
        assert 0 <= await people.share_liked(1) <= 1
        assert len(await running.queries.ratings(Filter(limit=100))) == 15
