from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from agent_runtime.registry import render
from agent_runtime.registry.canary import Trial
from agent_runtime.registry.manifest import WORDS, Verdict
from agent_runtime.registry.status import Status
from agent_runtime.registry.store import Registry
from tests.support.versions import added


def printed(*shown: RenderableType) -> str:
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    for one in shown:
        console.print(one)
    return " ".join(console.export_text().split())


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    added(registry, learned="knows [bold]torches[/bold]", verdict=Verdict("inconclusive", "6 to 4"))
    registry.challenge(1, 0.2, who="ann", why="let's see")
    return registry


def status(pid: int, challenger: int | None) -> Status:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return Status(pid=pid, base="", champion=0, challenger=challenger, suspect=0, since=now)


def test_what_a_learner_wrote_is_text_and_no_markup(registry: Registry) -> None:
    shown = printed(render.table(registry.versions(), registry.state()))
    assert "knows [bold]torches[/bold]" in shown
    assert "inconclusive 6 to 4" in shown
    assert "challenger (20% of players)" in shown


def test_the_notes_tell_how_a_trial_goes(registry: Registry) -> None:
    trial = Trial(0, 1, 0, 0, 0)
    for _ in range(4):
        trial.evidence.add("champion", 0.5)
    trial.rate("someone", "challenger", "reply", 5, 0)
    told = printed(*render.notes(registry.state(), status(os.getpid(), 1), trial, 0.05))
    assert "0 raters against 4, 1 more counted soon" in told
    missing = trial.raters_missing(0.05)
    assert missing["challenger"] > 10
    assert (
        f"About {missing['challenger']} more raters of version 1 and {missing['champion']} of the champion "
        "make a difference of 20% sure"
    ) in told
    assert "no server" not in told


def test_the_notes_tell_when_nobody_meets_the_challenger(registry: Registry) -> None:
    def told() -> str:
        return printed(*render.notes(registry.state(), status(os.getpid(), 1), trial, 0.05))

    trial = Trial(0, 1, 0, 0, 0)
    assert "none of your players" not in told(), "nobody has talked"
    trial.took(0)
    assert "none of your players met it yet at this share" in told()
    trial.took(1)
    assert "none of your players" not in told()


def test_the_notes_tell_when_the_server_does_otherwise(registry: Registry) -> None:
    told = printed(*render.notes(registry.state(), status(os.getpid(), None), None, 0.05))
    assert "still answers with version 0" in told
    assert "no server runs here" in printed(*render.notes(registry.state(), None, None, 0.05))


def test_a_version_to_train_anew_is_marked_and_quotes_nobody(registry: Registry) -> None:
    card = registry.get(1).card
    assert card
    card.chmod(0o644)
    card.write_text(f"# What was learned\n\n{WORDS}\n\n| my secret | a | b |\n\n## Numbers\n\n54 %\n")
    registry.mark(1, who="learner", why="a player was erased")
    assert "marked: a player was erased" in printed(render.table(registry.versions(), registry.state()))
    shown = printed(render.version(registry.get(1), registry.state()))
    assert "my secret" not in shown
    assert "Taken out: a player whose talk it was made of was erased." in shown
    assert "54 %" in shown
    registry.verify(registry.get(1))
    registry.mark(1, who="learner", why="another one")
    assert card.read_text().count("Taken out") == 1


def test_one_version_wholly(registry: Registry) -> None:
    shown = printed(render.version(registry.get(1), registry.state()))
    for part in ("b" * 64, "challenge 20% (challenger — → 1)", "let's see", "What was learned"):
        assert part in shown
    assert "0-base" in printed(render.version(registry.get(0), registry.state()))
