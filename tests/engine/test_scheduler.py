"""Who joins the next batch, over a KV cache that is kept in plain Python."""

from __future__ import annotations

import pytest

from agent_runtime.engine.backend import Row, Version
from agent_runtime.engine.interface import Priority
from agent_runtime.engine.prefix import Prefix
from agent_runtime.engine.scheduler import CHUNK_ALONE, CHUNK_BESIDE, Scheduler
from agent_runtime.engine.shelf import Shelf
from agent_runtime.engine.talk import Talk
from agent_runtime.npc.persona import Sampling
from tests.support.backend import PlainBackend

BASE = Version()


def _talk(
    prompt: list[int],
    shared: int = 0,
    limit: int = 10,
    version: Version = BASE,
    priority: Priority = Priority.PLAYER,
    player: str = "",
) -> Talk:
    return Talk(
        object(), prompt, shared, limit, Sampling(), 1, 0.0, 100.0, version, priority=priority, player=player
    )


def _scheduler(slots: int = 2, prefixes: int = 2, cells: int = 10_000) -> Scheduler:
    return Scheduler(PlainBackend(cells), slots, prefixes, cells, Shelf(100_000))


def _speaking(talk: Talk) -> None:
    """As if the prompt had been read and a first token said."""
    talk.fed = len(talk.prompt)
    talk.tokens.append(1)


def test_first_come_first_served_while_slots_last() -> None:
    scheduler = _scheduler(slots=2)
    talks = [_talk([1]) for _ in range(3)]
    for talk in talks:
        scheduler.add(talk)
    scheduler.admit()
    assert scheduler.running == talks[:2]
    scheduler.remove(talks[0])
    scheduler.admit()
    assert scheduler.running == talks[1:]
    assert len({talk.sequence for talk in scheduler.running}) == 2


def test_a_prompt_alone_comes_in_large_pieces() -> None:
    scheduler = _scheduler()
    scheduler.add(_talk([1] * 700))
    scheduler.admit()
    assert [share.count for share in scheduler.plan()] == [CHUNK_ALONE]


def test_a_prompt_beside_talk_comes_in_small_pieces() -> None:
    scheduler = _scheduler()
    busy, newcomer = _talk([1]), _talk([1] * 700)
    scheduler.add(busy)
    scheduler.add(newcomer)
    scheduler.admit()
    _speaking(busy)
    shares = scheduler.plan()
    assert [(share.owner, share.count) for share in shares] == [(busy, 1), (newcomer, CHUNK_BESIDE)]


@pytest.mark.parametrize(("bearable", "read"), [(9, CHUNK_BESIDE), (200, 200), (9_999, CHUNK_ALONE - 1)])
def test_what_is_read_fast_comes_in_larger_pieces(bearable: int, read: int) -> None:
    scheduler = _scheduler()
    busy, newcomer = _talk([1]), _talk([1] * 700)
    for talk in (busy, newcomer):
        scheduler.add(talk)
    scheduler.admit()
    _speaking(busy)
    assert [share.count for share in scheduler.plan(bearable=bearable)] == [1, read]


def test_a_batch_never_outgrows_its_arrays() -> None:
    scheduler = _scheduler(slots=16, cells=100_000)
    busy, newcomers = [_talk([1]) for _ in range(8)], [_talk([1] * 700) for _ in range(8)]
    for talk in (*busy, *newcomers):
        scheduler.add(talk)
    scheduler.admit()
    for talk in busy:
        _speaking(talk)
    assert sum(share.count for share in scheduler.plan(bearable=9_999)) == CHUNK_ALONE


def test_a_short_prompt_is_not_held_up_by_a_long_one() -> None:
    scheduler = _scheduler(slots=3)
    busy, long, short = _talk([1]), _talk([1] * 700), _talk([2] * 20)
    for talk in (busy, long, short):
        scheduler.add(talk)
    scheduler.admit()
    _speaking(busy)
    assert [(share.owner, share.count) for share in scheduler.plan()] == [(short, 20)]


def test_those_who_speak_miss_no_two_steps_for_newcomers() -> None:
    scheduler = _scheduler(slots=4)
    busy, *newcomers = _talk([1]), _talk([2] * 20), _talk([3] * 20), _talk([4] * 50)
    for talk in (busy, *newcomers):
        scheduler.add(talk)
    scheduler.admit()
    _speaking(busy)
    assert [share.owner for share in scheduler.plan()] == newcomers[:2]
    for talk in newcomers[:2]:
        _speaking(talk)
    beside = {id(share.owner): share.count for share in scheduler.plan()}
    assert beside == {id(busy): 1, id(newcomers[0]): 1, id(newcomers[1]): 1, id(newcomers[2]): 50}


@pytest.mark.parametrize("priority", [Priority.CHATTER, Priority.BACKGROUND])
def test_nobody_misses_a_step_for_what_no_player_waits_for(priority: Priority) -> None:
    scheduler = _scheduler(slots=4)
    busy = _talk([1])
    scheduler.add(busy)
    scheduler.add(_talk([2] * 20, priority=priority))
    scheduler.admit()
    _speaking(busy)
    assert busy in [share.owner for share in scheduler.plan()]


def test_those_who_come_together_compute_their_prefix_once() -> None:
    scheduler = _scheduler(slots=3)
    talks = [_talk([5] * 30 + [number], shared=30) for number in range(3)]
    for talk in talks:
        scheduler.add(talk)
    scheduler.admit()
    (share,) = scheduler.plan()
    assert isinstance(share.owner, Prefix)
    assert share.count == 30
    assert [talk.cached for talk in talks] == [0, 30, 30]


def test_nobody_starts_whose_longest_reply_may_not_fit() -> None:
    scheduler = _scheduler(slots=4, cells=100)
    first, second = _talk([1] * 30, limit=40), _talk([1] * 20, limit=20)
    scheduler.add(first)
    scheduler.add(second)
    scheduler.admit()
    assert scheduler.running == [first]
    scheduler.remove(first)
    scheduler.admit()
    assert scheduler.running == [second]


def test_idle_prefixes_make_room_and_busy_ones_stay() -> None:
    scheduler = _scheduler(slots=4, cells=100)
    busy, gone = _talk([1] * 31, shared=30, limit=9), _talk([2] * 31, shared=30, limit=9)
    scheduler.add(busy)
    scheduler.admit()
    scheduler.add(gone)
    scheduler.admit()
    scheduler.remove(gone)
    scheduler.add(_talk([3] * 20, limit=20))
    scheduler.admit()
    assert len(scheduler.running) == 2
    assert not scheduler.evict()
    scheduler.remove(busy)
    assert scheduler.evict()


def test_with_all_prefix_sequences_in_use_a_talk_reads_its_whole_prompt() -> None:
    scheduler = _scheduler(slots=2, prefixes=1)
    scheduler.add(_talk([1] * 9, shared=8))
    other = _talk([2] * 9, shared=8)
    scheduler.add(other)
    scheduler.admit()
    assert other.prefix is None
    assert [share.count for share in scheduler.plan() if share.owner is other] == [9]


def test_a_talk_that_leaves_the_queue_leaves_nothing_behind() -> None:
    scheduler = _scheduler(slots=1)
    first, second = _talk([1]), _talk([2])
    scheduler.add(first)
    scheduler.add(second)
    scheduler.admit()
    scheduler.remove(second)
    scheduler.remove(first)
    scheduler.admit()
    assert scheduler.talks == []
    assert scheduler.plan() == []


def test_players_come_before_chatter_and_chatter_before_background_work() -> None:
    scheduler = _scheduler(slots=4)
    background, chatter, player = (
        _talk([1], priority=priority) for priority in (Priority.BACKGROUND, Priority.CHATTER, Priority.PLAYER)
    )
    for talk in (background, chatter, player):
        scheduler.add(talk)
    scheduler.admit()
    assert scheduler.running == [player, chatter]
    scheduler.remove(player)
    scheduler.admit()
    assert scheduler.running == [chatter, background]


def test_a_player_finds_a_slot_however_much_background_work_there_is() -> None:
    scheduler = _scheduler(slots=4)
    for priority in (*[Priority.BACKGROUND] * 9, *[Priority.CHATTER] * 9):
        scheduler.add(_talk([1], priority=priority))
    scheduler.admit()
    assert len(scheduler.running) == 3
    player = _talk([1])
    scheduler.add(player)
    scheduler.admit()
    assert scheduler.running[-1] is player


def test_one_player_with_many_lines_does_not_keep_another_waiting() -> None:
    scheduler = _scheduler(slots=2)
    alice = [_talk([1], player="alice") for _ in range(4)]
    bob = _talk([1], player="bob")
    for talk in (*alice, bob):
        scheduler.add(talk)
    scheduler.admit()
    assert scheduler.running == [alice[0], bob]


def test_who_has_no_name_waits_beside_players_like_one_who_has_no_reply_yet() -> None:
    scheduler = _scheduler(slots=2)
    alice = [_talk([1], player="alice") for _ in range(3)]
    warming = _talk([1], limit=0)
    for talk in (*alice, warming):
        scheduler.add(talk)
    scheduler.admit()
    assert scheduler.running == [alice[0], warming]


def test_a_batch_belongs_to_one_version_and_they_take_turns() -> None:
    scheduler = _scheduler(slots=4)
    versions = [BASE, Version("a", "a")]
    talks = [_talk([1], version=version) for version in versions * 2]
    for talk in talks:
        scheduler.add(talk)
    scheduler.admit()
    for talk in talks:
        _speaking(talk)
    batches = [[share.owner for share in scheduler.plan()] for _ in range(4)]
    assert sorted(map(len, batches)) == [2, 2, 2, 2]
    assert batches[0] == batches[2] != batches[1] == batches[3]
    assert all(len({owner.version for owner in batch}) == 1 for batch in batches)


def test_another_versions_talk_makes_a_long_prompt_come_in_small_pieces() -> None:
    scheduler = _scheduler()
    busy, newcomer = _talk([1]), _talk([1] * 700, version=Version("a", "a"))
    scheduler.add(busy)
    scheduler.add(newcomer)
    scheduler.admit()
    _speaking(busy)
    counts = [share.count for _ in range(2) for share in scheduler.plan()]
    assert sorted(counts) == [1, CHUNK_BESIDE]


def test_others_who_wait_elsewhere_make_a_long_prompt_come_in_small_pieces() -> None:
    scheduler = _scheduler()
    scheduler.add(_talk([1] * 700))
    scheduler.admit()
    assert [share.count for share in scheduler.plan(beside=True)] == [CHUNK_BESIDE]


def test_background_work_joins_few_batches_while_players_talk() -> None:
    scheduler = _scheduler(slots=4)
    player, background = _talk([1]), _talk([1], priority=Priority.BACKGROUND)
    for talk in (player, background):
        scheduler.add(talk)
    scheduler.admit()
    _speaking(player)
    _speaking(background)
    batches = [[share.owner for share in scheduler.plan()] for _ in range(8)]
    assert all(player in batch for batch in batches)
    assert sum(background in batch for batch in batches) == 2
    scheduler.remove(player)
    assert [share.owner for share in scheduler.plan()] == [background]


def test_idle_prefixes_do_not_pile_up_in_the_context() -> None:
    backend = PlainBackend(10_000)
    scheduler = Scheduler(backend, 2, 16, 10_000, Shelf(1_000_000))
    for persona in range(12):
        talk = _talk([persona] * 200, shared=199)
        scheduler.add(talk)
        scheduler.admit()
        for share in scheduler.plan():
            backend.decode([Row(share.owner.sequence, 0, share.owner.tokens[: share.count], False)])
            share.owner.fed += share.count
        scheduler.remove(talk)
    assert 0 < backend.used <= 256
