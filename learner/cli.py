"""`townsfolk learn …`: arguments come in, a night is run, planned or told about, and an exit status goes out.

Heavy libraries are imported by the commands that need them. Status 0 is also that of a night with nothing to
learn from; 1 is that of one that failed, 2 of what could not be done, and `BUSY` of a run beside another one.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent_runtime import config, files
from agent_runtime.commands.arguments import who
from agent_runtime.errors import NightBusy, NightError, TownsfolkError
from agent_runtime.nights.child import BUSY, how_to_install, missing

app = typer.Typer(
    name="townsfolk learn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn from ratings: run a night now, see when the next one is and what the last one did.",
)


class FileFormat(StrEnum):
    """How an exported dataset can be written."""

    jsonl = "jsonl"
    parquet = "parquet"


Version = Annotated[int, typer.Argument(min=1, help="The version's number.")]


@app.callback()
def _common(
    context: typer.Context, home: Annotated[Path | None, typer.Option(help="As for townsfolk.")] = None
) -> None:
    context.obj = home.expanduser().absolute() if home else None
    context.with_resource(files.private())


@app.command()
def run(
    context: typer.Context,
    now: Annotated[
        bool, typer.Option("--now", help="Even while players talk (learn.wait_while_serving).")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, but register nothing.")] = False,
    why: Annotated[str, typer.Option(help="What is stored as the reason for this run.")] = "by hand",
) -> None:
    """Learn from all that was rated: train, judge, and register a version. Takes minutes."""
    if missing():
        raise NightError(how_to_install())
    from rich.console import Console

    from learner.job.limits import give_way
    from learner.job.run import run as night

    settings = config.load(context.obj)
    if now:
        settings = settings.model_copy(
            update={"learn": settings.learn.model_copy(update={"wait_while_serving": False})}
        )
    give_way()
    console = Console(highlight=False)
    outcome = night(settings, why, dry=dry_run, console=console)
    console.print(f"{outcome.ended}: {outcome.summary}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if outcome.ended == "failed" else 0)


@app.command()
def schedule(
    context: typer.Context,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Turn nights on or off.")] = None,
) -> None:
    """Show when the next night is; turn nights off and on."""
    from agent_runtime.nights import pause
    from learner.job.told import schedule_lines

    settings = config.load(context.obj)
    if on is True:
        pause.resume(settings.learner_folder)
    elif on is False:
        pause.pause(settings.learner_folder, who(), datetime.now(UTC))
    for line in schedule_lines(settings, datetime.now(UTC)):
        typer.echo(line)


@app.command()
def status(context: typer.Context) -> None:
    """Show the run that goes on, or the last one: its stage, how far it is, how it ended and why."""
    from agent_runtime.nights import runs
    from learner.job.told import run_lines

    settings = config.load(context.obj)
    last = runs.latest(settings.learner_folder)
    if last is None:
        typer.echo("nothing was learned yet; `townsfolk learn run` begins")
        return
    for line in run_lines(last):
        typer.echo(line)


@app.command()
def explain(context: typer.Context, version: Version) -> None:
    """Show the card of a version: what was learned, replies before and after, the numbers behind it."""
    from rich.console import Console
    from rich.markdown import Markdown

    from agent_runtime.registry.store import Registry

    found = Registry(config.load(context.obj).registry_path).get(version)
    assert found.card
    Console().print(Markdown(found.card.read_text(encoding="utf-8")))


@app.command()
def dataset(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="A new folder.")],
    format: Annotated[FileFormat, typer.Option(help="How the rows are written.")] = FileFormat.jsonl,
    name: Annotated[str, typer.Option(help="What the card calls it.")] = "Townsfolk",
) -> None:
    """Write what could be learned from now in the formats that other trainers read, with a card."""
    if missing():
        raise NightError(how_to_install())
    from agent_runtime.journal.sealed import Scope
    from agent_runtime.journal.source import open_source
    from agent_runtime.registry.store import Registry
    from learner.config import dataset_settings
    from learner.dataset.share import share_now
    from learner.dataset.shortage import TooLittle

    settings = config.load(context.obj)
    banned = tuple(Registry(settings.registry_path).state().banned)
    scope = Scope(consent=settings.privacy.consent)
    target = out.expanduser().absolute()
    with open_source(settings.journal_path) as source:
        found = share_now(source, scope, dataset_settings(settings), banned, target, name, format.value)
    if isinstance(found, TooLittle):
        typer.echo(str(found))
        return
    for kind, parts in found.items():
        rows = ", ".join(f"{count} {part}" for part, count in parts.items())
        typer.echo(f"{target / kind}: {rows}")


@app.command()
def verify(context: typer.Context, version: Version) -> None:
    """Judge a version anew from the evidence that is kept with it, and compare the verdicts."""
    if missing():
        raise NightError(how_to_install())
    from agent_runtime.registry.store import Registry
    from learner.gate.report import verify as judge_anew

    registry = Registry(config.load(context.obj).registry_path)
    found = registry.get(version)
    registry.verify(found)
    assert found.folder
    verdict = judge_anew(found.folder, found.manifest)
    typer.echo(f"the evidence is as it was judged, and gives the same verdict: {verdict.outcome}")
    typer.echo(verdict.summary)


def main() -> None:
    """The entry point."""
    try:
        app(prog_name="townsfolk learn")
    except TownsfolkError as error:
        for line in str(error).splitlines():
            print(f"townsfolk: {line}", file=sys.stderr)
        sys.exit(BUSY if isinstance(error, NightBusy) else 2)
