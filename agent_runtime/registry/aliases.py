"""What the aliases name once a decision is made: the states before and after it come in, aliases that can
stand go out.

Pure. None names a version that is banned or was refused. The challenger is another version than the champion,
and so is `last_good`, which a rollback goes back to; only a bare base may have nothing behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from agent_runtime.registry.audit import BARE, Alias, State


def settled(before: State, after: State, is_there: Callable[[int], bool]) -> dict[Alias, int | None]:
    """The aliases as a decision should leave them: where one cannot stay, the latest earlier champion that
    `is_there` and may serve takes its place, or no challenger does."""
    out = after.banned.keys() | after.refused
    champion, challenger, last_good = after.champion, after.challenger, after.last_good
    if champion in out:
        champion = _good(before, out, is_there)
    if challenger in out | {champion}:
        challenger = None
    stays_bare = before.champion == champion == BARE
    if last_good in out or (last_good == champion and not stays_bare):
        last_good = _good(before, out | {champion}, is_there)
    return {"champion": champion, "challenger": challenger, "last_good": last_good}


def _good(before: State, besides: Set[int], is_there: Callable[[int], bool]) -> int:
    """The latest earlier champion that could serve again; the bare base always could."""
    fit = (one for one in before.champions_before() if one not in besides and is_there(one))
    return next(fit, BARE)
