"""The prefix cache's books."""

from __future__ import annotations

from agent_runtime.engine.prefix import PrefixCache


def test_only_exactly_the_same_tokens_are_found() -> None:
    cache = PrefixCache([7])
    prefix = cache.add((1, 2, 3))
    assert cache.find((1, 2, 3)) is prefix
    assert cache.find((1, 2)) is None
    assert cache.find((1, 2, 3, 4)) is None


def test_the_least_recently_used_goes_first() -> None:
    cache = PrefixCache([1, 2])
    cache.add((1,))
    cache.add((2,))
    assert cache.add((3,)) is None
    cache.find((1,))
    evicted = cache.evict()
    assert evicted is not None
    assert evicted.tokens == (2,)
    added = cache.add((3,))
    assert added is not None
    assert added.sequence == evicted.sequence


def test_a_prefix_in_use_is_not_given_away() -> None:
    cache = PrefixCache([1])
    prefix = cache.add((1,))
    assert prefix is not None
    prefix.users = 1
    assert cache.evict() is None
    prefix.users = 0
    assert cache.evict() is prefix


def test_cells_are_counted_once_and_given_back() -> None:
    cache = PrefixCache([1, 2])
    first = cache.add((1, 2, 3))
    cache.add((4,))
    assert cache.cells == 4
    assert first is not None
    cache.remove(first)
    cache.remove(first)
    assert cache.cells == 1


def test_only_what_somebody_waits_for_is_computed() -> None:
    cache = PrefixCache([1, 2, 3])
    waited, idle, done = (cache.add((number,)) for number in (1, 2, 3))
    assert waited is not None
    assert idle is not None
    assert done is not None
    waited.users = done.users = 1
    done.fed = 1
    assert cache.wanted() == [waited]
