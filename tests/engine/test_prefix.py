"""The prefix cache's books."""

from __future__ import annotations

from agent_runtime.engine.backend import Row, Version
from agent_runtime.engine.prefix import Prefix, PrefixCache
from agent_runtime.engine.shelf import Shelf
from tests.support.backend import PlainBackend

BASE = Version()
OTHER = Version("v1", "other weights")


def _cache(*sequences: int) -> PrefixCache:
    return PrefixCache(PlainBackend(1_000), sequences, Shelf(100_000))


def _added(cache: PrefixCache, *tokens: int) -> Prefix:
    prefix = cache.add(BASE, tokens)
    assert prefix is not None
    return prefix


def test_only_exactly_the_same_tokens_of_the_same_weights_are_found() -> None:
    cache = _cache(7)
    prefix = _added(cache, 1, 2, 3)
    assert cache.find(BASE, (1, 2, 3)) is prefix
    assert cache.find(BASE, (1, 2)) is None
    assert cache.find(BASE, (1, 2, 3, 4)) is None
    assert cache.find(OTHER, (1, 2, 3)) is None


def test_the_least_recently_used_goes_first() -> None:
    cache = _cache(1, 2)
    first, second = _added(cache, 1), _added(cache, 2)
    assert cache.add(BASE, (3,)) is None
    cache.find(BASE, (1,))
    assert cache.evict()
    assert cache.find(BASE, (1,)) is first
    assert cache.find(BASE, (2,)) is None
    assert _added(cache, 3).sequence == second.sequence


def test_a_prefix_in_use_is_not_given_away() -> None:
    cache = _cache(1)
    prefix = _added(cache, 1)
    prefix.users = 1
    assert not cache.evict()
    prefix.users = 0
    assert cache.evict()


def test_cells_are_counted_once_and_given_back() -> None:
    cache = _cache(1, 2)
    first = _added(cache, 1, 2, 3)
    _added(cache, 4).users = 1
    assert (cache.cells, cache.idle) == (4, 3)
    cache.remove(first)
    cache.remove(first)
    assert (cache.cells, cache.idle) == (1, 0)


def test_what_was_put_on_the_shelf_need_not_be_computed_again() -> None:
    backend = PlainBackend(1_000)
    cache = PrefixCache(backend, [1], Shelf(100_000))
    prefix = _added(cache, 5, 6)
    backend.decode([Row(prefix.sequence, 0, prefix.tokens, False)])
    prefix.fed = 2
    assert cache.evict()
    assert backend.used == 0
    assert _added(cache, 5, 6).pending == 0
    assert backend.used == 2


def test_what_was_half_computed_is_not_kept() -> None:
    cache = _cache(1)
    _added(cache, 5, 6).fed = 1
    assert cache.evict()
    assert _added(cache, 5, 6).pending == 2


def test_clearing_takes_what_is_idle_of_those_weights() -> None:
    cache = _cache(1, 2, 3)
    idle, used = _added(cache, 1), _added(cache, 2)
    used.users = 1
    other = cache.add(OTHER, (3,))
    cache.clear(BASE.weights)
    assert cache.find(BASE, idle.tokens) is None
    assert cache.find(BASE, used.tokens) is used
    assert cache.find(OTHER, (3,)) is other
