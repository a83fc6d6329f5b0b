"""The night after the scene: players with a hidden taste talk and rate, the scheduler begins a run of the
learner, and what it made answers, while a player in the game goes on talking.

All goes the product's own ways: the link, the journal, the schedule, the gate, the registry. Raises
SceneFailed when the night changed nothing, and says why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agent_runtime.nights import runs
from agent_runtime.nights.runs import STAGES, Outcome, Run
from agent_runtime.registry.status import StatusFiles
from agent_runtime.registry.store import Registry
from demo.errors import SceneFailed
from demo.player import Player
from demo.population import WISH, Population
from demo.scene import BESIDE, PLAYER, face
from demo.show import Show
from demo.stage import NPC, Stage
from demo.talk import Exchange, ask

PLAYERS = 64
TURNS = 4
SETTINGS = {
    # The last of them rates when all others have. Alice rated in the scene, and allowed nothing.
    "TOWNSFOLK_LEARN__AFTER_RATERS": str(PLAYERS),
    "TOWNSFOLK_LEARN__LOOK_S": "1",
    "TOWNSFOLK_LEARN__AT": "",
    # An evening is over in a minute here: nobody can have been known for a day, or talk at a person's pace.
    "TOWNSFOLK_LEARN__NEW_ACCOUNT_H": "0",
    "TOWNSFOLK_TURN__NPC_TALKS": "64",
    "TOWNSFOLK_TURN__NPC_QUEUE": "64",
    "TOWNSFOLK_MODEL__QUEUE": "2000",
    # Nobody waits a fortnight for a canary's raters, or for a second training.
    "TOWNSFOLK_LEARN__PASSED": "promote",
    "TOWNSFOLK_LEARN__RETRAIN_WITHOUT": "false",
}
"""What is not as an admin would have it: a night in minutes."""
LINES = ("goodbye, Mira!", "i have to go now", "see you tomorrow", "farewell")
MEANWHILE = ("how was your day?", "nice weather", "tell me something about you", "are you happy here?")
ASKED_AGAIN = 2
"""Turns of each player by which the versions are compared, on one more evening that nobody rates."""
BEGINS_WITHIN = 60.0
SWAPPED_WITHIN = 30.0


async def play(stage: Stage, show: Show) -> None:
    """The whole night on a stage whose runtime has `SETTINGS`."""
    runtime = stage.runtime
    show.step(f"evening: {PLAYERS} more players come, with a taste of their own that nobody is told")
    async with (
        Population(runtime.port, runtime.token, PLAYERS) as people,
        await stage.server.join(PLAYER) as alice,
    ):
        await alice.move_to(*BESIDE)
        face(alice)
        before = await _partings(alice, show)
        with _bar(show) as bar:
            task = bar.add_task("talking and rating", total=PLAYERS * TURNS, text="")
            evening = await people.evening(
                TURNS, lambda count, reply: bar.update(task, completed=count, text=reply[:50])
            )
        show.note(
            f"{evening.turns} turns, {evening.ratings} ratings, {evening.corrections} replies corrected; "
            f"liked: {evening.liked:.0%}"
        )
        show.step("night: the scheduler begins a run of the learner, at the lowest priority")
        show.console.print((await runtime.run("learn", "schedule")).rstrip(), markup=False, soft_wrap=True)
        outcome, talked = await _while_talking(alice, _night(runtime.home, show))
        show.console.print((await runtime.run("learn", "status")).rstrip(), markup=False, soft_wrap=True)
        if outcome.version is None:
            raise SceneFailed(f"the night made no version: {outcome.summary}")
        _verdict(runtime.home, outcome.version, show)
        if outcome.ended != "promoted":
            raise SceneFailed(
                f"version {outcome.version} does not serve ({outcome.ended}): {outcome.summary}"
            )
        show.step(f"morning: version {outcome.version} serves; {NPC} was never silent")
        show.note(
            f"{len(talked)} replies to {PLAYER} during the night, slowest first words {_slowest(talked)}"
        )
        after = await _partings(alice, show)
        learned = await people.share_liked(ASKED_AGAIN)
        show.step("the admin wants the old version back: townsfolk rollback")
        began = time.perf_counter()
        told = await runtime.run("rollback", "--why", "shown in the demonstration")
        show.console.print(told.rstrip(), markup=False, soft_wrap=True)
        took = time.perf_counter() - began
        again = await _partings(alice, show)
        show.step("townsfolk versions")
        table = await runtime.run("versions", columns=max(110, show.console.width))
        show.console.print(table, markup=False, soft_wrap=True)
    changed = [n for n in range(len(LINES)) if WISH in after[n].reply and WISH not in before[n].reply]
    number = changed[0] if changed else 0
    show.figures(
        "What a night changed",
        [
            (f"“{LINES[number]}” before", before[number].reply),
            ("after the night", after[number].reply),
            ("after the rollback", again[number].reply),
            ("replies that the players like, before / after", f"{evening.liked:.0%} / {learned:.0%}"),
            ("the command for the rollback, with the start of the program", f"{took:.1f} s"),
        ],
    )
    if not changed or learned <= evening.liked:
        raise SceneFailed("the new version passed the gate, and its replies are not what the players like")
    if any(WISH in exchange.reply for exchange in again):
        raise SceneFailed("the rollback did not bring the old answers back")


async def _partings(alice: Player, show: Show) -> list[Exchange]:
    """What she is told when she takes her leave in several ways: replies are drawn, so one says little."""
    return [await _said(alice, show, line) for line in LINES]


async def _said(player: Player, show: Show, line: str) -> Exchange:
    with show.exchange(PLAYER, NPC, line) as more:
        return await ask(player, NPC, line, on_words=more)


async def _while_talking(
    alice: Player, night: Coroutine[None, None, Outcome]
) -> tuple[Outcome, list[Exchange]]:
    """The player goes on talking until the night is over and its version serves; each line gets its answer,
    or NotSeen is raised."""
    task = asyncio.create_task(night)
    talked: list[Exchange] = []
    try:
        while not task.done():
            talked.append(await ask(alice, NPC, MEANWHILE[len(talked) % len(MEANWHILE)]))
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 4.0)
        return await task, talked
    finally:
        task.cancel()


async def _night(home: Path, show: Show) -> Outcome:
    """Follow the run from outside, with a bar for each stage, until what it decided serves."""
    learner = home / "learner"
    deadline = time.monotonic() + BEGINS_WITHIN
    while (run := runs.latest(learner)) is None:
        if time.monotonic() > deadline:
            raise SceneFailed("the scheduler did not begin a run; the runtime's log says why")
        await asyncio.sleep(0.2)
    with _bar(show) as bar:
        tasks = {stage: bar.add_task(stage, total=1.0, text="", start=False) for stage in STAGES}
        while run.outcome is None:
            if not run.alive and time.monotonic() > deadline:
                raise SceneFailed(f"the learner died during {run.stage}; see {home / 'logs' / 'learner.log'}")
            if run.alive:
                deadline = time.monotonic() + 5.0
            _draw(bar, tasks, run)
            await asyncio.sleep(0.2)
            run = runs.latest(learner) or run
        _draw(bar, tasks, run)
    if run.outcome.ended == "promoted":
        await _serves(home, run.outcome.version)
    return run.outcome


def _draw(bar: Progress, tasks: dict[str, TaskID], run: Run) -> None:
    for stage, task in tasks.items():
        if stage in run.done:
            bar.update(task, completed=1.0)
            bar.stop_task(task)
        elif run.progress and run.progress.stage == stage:
            bar.start_task(task)
            bar.update(task, completed=run.progress.share, text=run.progress.text)


async def _serves(home: Path, version: int | None) -> None:
    files, deadline = StatusFiles(home / "registry"), time.monotonic() + SWAPPED_WITHIN
    while (status := files.status()) is None or status.champion != version:
        if time.monotonic() > deadline:
            raise SceneFailed(
                f"version {version} was promoted and does not serve; the runtime's log says why"
            )
        await asyncio.sleep(0.05)


def _verdict(home: Path, number: int, show: Show) -> None:
    """The gate's verdict with its evidence."""
    from learner.gate.report import read_report

    version = Registry(home / "registry").get(number)
    assert version.folder
    verdict = read_report(version.folder).verdict
    show.figures(
        f"The gate on version {number}: {verdict.outcome}",
        [
            (check.name, ("– " if check.passed is None else "✓ " if check.passed else "✗ ") + check.text)
            for check in verdict.checks
        ],
    )


def _slowest(talked: list[Exchange]) -> str:
    times = [exchange.milliseconds for exchange in talked if exchange.milliseconds is not None]
    return f"after {max(times):.0f} ms" if times else "unknown"


def _bar(show: Show) -> Progress:
    show.pause()
    return Progress(
        TextColumn("          {task.description:18}"),
        BarColumn(30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", style="dim"),
        console=show.console,
    )
