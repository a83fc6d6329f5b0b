"""The questions: each finds what it should, newest first, and nothing of anybody else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.queries import Queries
from agent_runtime.journal.rows import NpcRow
from agent_runtime.journal.views import Filter
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Exchange
from tests.support import rows as make


@pytest.fixture
async def queries(journal: Journal) -> Queries:
    """Ada and alice talk three times, Bob and bert once; Ada is rated, acts, and once says a canned line."""
    await journal.add(
        make.session(),
        make.turn(1),
        make.turn(2, source="late", reply="Hm?", prompt=(), first_sentence_ms=None),
        make.turn(3, flagged=True, flag_reason="wanted to dig"),
        make.turn(4, npc=make.ulid(900_004), npc_name="Bob", player="fedcba9876543210"),
    )
    await journal.add(
        make.action(10, turn=1),
        make.action(11, turn=3, name="dig", verdict="refused", reason="not in its capabilities"),
        make.action(12, turn=4, name="emote", arguments={"kind": "wave"}),
        make.result(10, result="failed", result_reason="no path"),
    )
    await journal.add(make.rating(20, turn=1, value=2))
    await journal.add(make.rating(21, turn=1, value=4), make.rating(22, turn=1, value=5, player="ff"))
    await journal.add(make.event(1), make.event(2, kind="join", what="", x=None, y=None, z=None))
    return Queries(journal)


def numbers(rows: list[object]) -> list[int]:
    return [int(row.id[-6:]) for row in rows]  # type: ignore[attr-defined]


async def test_a_stored_turn_comes_back_as_it_was(queries: Queries) -> None:
    assert await queries.turn(make.ulid(3)) == make.turn(3, flagged=True, flag_reason="wanted to dig")
    assert await queries.turn(make.ulid(77)) is None


async def test_turns_show_rating_and_actions(queries: Queries) -> None:
    found = await queries.turns()
    assert numbers(list(found)) == [4, 3, 2, 1]
    assert [turn.rating for turn in found] == [None, None, None, 4.5]
    assert [turn.actions for turn in found] == [
        ("emote: pending",),
        ("dig: refused",),
        (),
        ("follow: failed",),
    ]
    assert found[3].said_at == make.turn(1).said_at


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Filter(npc="ada"), [3, 2, 1]),
        (Filter(npc=make.ulid(900_004)), [4]),
        (Filter(npc="ada' or true --"), []),
        (Filter(players=("fedcba9876543210",)), [4]),
        (Filter(players=("fedcba9876543210", "0123456789abcdef")), [4, 3, 2, 1]),
        (Filter(players=()), []),
        (Filter(turn="000003"), [3]),
        (Filter(turn="%"), []),
        (Filter(since=make.START + timedelta(seconds=2)), [4, 3, 2]),
        (Filter(until=make.START + timedelta(seconds=2)), [1]),
        (Filter(rated=True), [1]),
        (Filter(flagged=True), [3]),
        (Filter(npc="Ada", rated=True, flagged=True), []),
        (Filter(limit=2), [4, 3]),
    ],
)
async def test_filters(queries: Queries, chosen: Filter, expected: list[int]) -> None:
    assert numbers(list(await queries.turns(chosen))) == expected


async def test_actions_say_what_was_said_and_what_was_done(queries: Queries) -> None:
    found = await queries.actions()
    assert [(action.name, action.fate) for action in found] == [
        ("emote", "pending"),
        ("dig", "refused"),
        ("follow", "failed"),
    ]
    assert found[1].reason == "not in its capabilities"
    assert (found[2].result_reason, found[2].npc_name) == ("no path", "Ada")
    assert numbers(list(await queries.actions(Filter(npc="bob")))) == [12]


async def test_an_action_whose_turn_is_not_there_is_shown(queries: Queries, journal: Journal) -> None:
    await journal.add(make.action(13, turn=99))
    found = await queries.actions(Filter(turn=make.ulid(99)))
    assert [(action.name, action.npc_name) for action in found] == [("follow", None)]


async def test_ratings_tell_which_one_counts(queries: Queries) -> None:
    found = await queries.ratings()
    assert [(rating.value, rating.latest) for rating in found] == [(5, True), (4, True), (2, False)]
    assert found[0].reply == "reply 1"
    assert numbers(list(await queries.ratings(Filter(players=("ff",))))) == [22]


async def test_ratings_tell_what_their_player_decided_last(queries: Queries, journal: Journal) -> None:
    await journal.add(make.consent(1, "withdraw"), make.consent(2, "allow"))
    found = await queries.ratings()
    assert [(rating.player[:2], rating.consent) for rating in found] == [
        ("ff", None),
        ("01", "allow"),
        ("01", "allow"),
    ]


async def test_events(queries: Queries) -> None:
    found = await queries.events()
    assert found == [make.event(2, kind="join", what="", x=None, y=None, z=None), make.event(1)]


async def test_memory_gets_what_was_said_oldest_first(queries: Queries, journal: Journal) -> None:
    alice, ada = "0123456789abcdef", make.ulid(900_003)
    said = [Exchange("line 1", "reply 1"), Exchange("line 3", "reply 3")]
    assert await queries.recent_exchanges(ada, alice) == said
    assert await queries.recent_exchanges(ada, alice, limit=1) == said[1:]
    assert await queries.recent_exchanges(ada, "fedcba9876543210") == []


async def test_npcs_are_where_they_were_last_seen(queries: Queries, journal: Journal) -> None:
    row = NpcRow(
        id=make.ulid(900_003),
        server=make.ulid(900_002),
        name="Ada",
        persona="smith",
        x=1,
        y=2,
        z=3,
        state="spawned",
        seen_at=make.START,
    )
    await journal.add(row)
    await journal.add(
        NpcRow(**{f: getattr(row, f) for f in row.__struct_fields__} | {"x": 9, "state": "moved"})
    )
    (npc,) = await queries.npcs()
    assert (npc.name, npc.x, npc.state, npc.turns) == ("Ada", 9, "moved", 3)


async def test_totals(queries: Queries) -> None:
    stats = await queries.stats()
    assert (stats.turns, stats.model_turns, stats.flagged, stats.npcs, stats.players) == (4, 3, 1, 2, 2)
    assert (stats.ratings, stats.raters, stats.rated_turns, stats.mean_rating) == (3, 2, 1, 4.5)
    assert (stats.actions, stats.refused, stats.done, stats.failed) == (3, 1, 0, 1)
    assert (stats.events, stats.sessions) == (2, 1)
    assert (stats.first_at, stats.last_at) == (make.turn(1).said_at, make.turn(4).said_at)
    assert stats.first_sentence_p50_ms == 45.5


async def test_totals_of_nothing(journal: Journal) -> None:
    stats = await Queries(journal).stats()
    assert (stats.turns, stats.mean_rating, stats.first_at, stats.first_sentence_p95_ms) == (
        0,
        None,
        None,
        None,
    )


async def test_a_filter_that_cannot_hold_is_an_error(queries: Queries) -> None:
    with pytest.raises(JournalError, match="events cannot be filtered by NPC"):
        await queries.events(Filter(npc="Ada"))
    with pytest.raises(JournalError, match="events cannot be filtered by rating"):
        await queries.events(Filter(rated=True))


async def test_reading_a_closed_journal_is_an_error(queries: Queries, journal: Journal) -> None:
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await queries.turns()
