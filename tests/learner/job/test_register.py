"""What a version that passed is allowed, as the settings say."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from agent_runtime.registry.store import Registry
from learner.job.run import run
from tests.support import nights
from tests.support.nights import SETTINGS, stages


def test_a_version_that_passed_waits_for_an_admin_where_the_settings_say_so(tmp_path: Path) -> None:
    settings = nights.home(tmp_path, settings=SETTINGS.replace("promote", "keep"))
    outcome = run(settings, "in a test", console=Console(quiet=True), stages=stages())
    assert (outcome.ended, outcome.version) == ("kept", 1)
    assert outcome.summary == (
        "11 held-out raters prefer it; it waits for you, as learn.passed says; "
        "`townsfolk promote 1` lets it serve"
    )
    registry = Registry(settings.registry_path)
    assert (registry.state().champion, registry.state().challenger) == (0, None)
    registry.promote(1, expected=0, who="ann", why="I like it")
    assert registry.state().champion == 1
