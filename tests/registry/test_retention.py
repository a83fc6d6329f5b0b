from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent_runtime.registry.retention import reasons_to_keep
from agent_runtime.registry.store import Registry
from tests.support.versions import added

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_what_serves_what_was_talked_about_lately_and_the_newest_stay(tmp_path: Path) -> None:
    clock = [NOW - timedelta(days=90)]
    registry = Registry(tmp_path / "registry", now=lambda: clock[0])
    for _ in range(9):
        added(registry)
    registry.promote(1, expected=0, who="ann", why="")
    registry.promote(2, expected=1, who="ann", why="")
    registry.promote(3, expected=2, who="ann", why="")
    registry.challenge(4, 0.05, who="ann", why="")
    clock[0] = NOW - timedelta(days=3)
    registry.ban(5, who="ann", why="odd")
    reasons = reasons_to_keep(registry.versions(), registry.state(), NOW, days=30, keep=2)
    assert reasons == {
        0: "the bare base",
        1: "named by a decision",
        2: "last_good",
        3: "champion",
        4: "challenger",
        5: "named by a decision",
        8: "one of the newest 2 beside those in use",
        9: "one of the newest 2 beside those in use",
    }


def test_a_fresh_registry_keeps_everything(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    added(registry)
    reasons = reasons_to_keep(registry.versions(), registry.state(), datetime.now(UTC), days=30, keep=0)
    assert set(reasons) == {0, 1}


def test_what_only_happened_to_a_version_keeps_it_for_some_days(tmp_path: Path) -> None:
    clock = [NOW - timedelta(days=90)]
    registry = Registry(tmp_path / "registry", now=lambda: clock[0])
    for _ in range(3):
        added(registry)
    registry.mark(1, who="learner", why="erased")
    clock[0] = NOW - timedelta(days=3)
    registry.mark(2, who="learner", why="erased")
    reasons = reasons_to_keep(registry.versions(), registry.state(), NOW, days=30, keep=0)
    assert reasons == {0: "the bare base", 2: "named in the audit log of the last 30 days"}
