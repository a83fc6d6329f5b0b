"""`townsfolk versions`, `promote`, `challenge`, `rollback`: what was learned, what serves, and who decides.

Everything is read from and written to the registry's files, so it works with the server running or not.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent_runtime import config
from agent_runtime.commands.arguments import who
from agent_runtime.errors import RegistryError
from agent_runtime.registry.audit import State
from agent_runtime.registry.manifest import ADAPTER
from agent_runtime.registry.store import Registry

app = typer.Typer(help="What NPCs learned, and which of it serves.", invoke_without_command=True)

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.02

Why = Annotated[str, typer.Option(help="The reason, for the audit log.")]
Number = Annotated[int, typer.Argument(min=0, help="The version's number; 0 is the bare base.")]


@app.callback()
def versions(context: typer.Context) -> None:
    """List all versions: what was learned, the gate's verdict, what serves, what is banned."""
    if context.invoked_subcommand:
        return
    from rich.console import Console

    from agent_runtime.registry import render
    from agent_runtime.registry.status import StatusFiles

    settings = config.load(context.obj)
    registry = Registry(settings.registry_path)
    state, console = registry.state(), Console()
    console.print(render.table(registry.versions(), state))
    for problem in registry.damaged():
        typer.echo(f"warning: {problem}", err=True)
    files = StatusFiles(registry.root)
    memo = files.memo()
    for line in render.notes(state, files.status(), memo.trial if memo else None, settings.canary.alpha):
        console.print(line)


@app.command()
def show(context: typer.Context, number: Number) -> None:
    """One version wholly: where it comes from, its verdict, its card, and every decision about it."""
    from rich.console import Console

    from agent_runtime.registry import render

    registry = _registry(context)
    Console().print(render.version(registry.get(number), registry.state()))


@app.command()
def verify(context: typer.Context, number: Number) -> None:
    """Read every byte of a version again and compare it with what it was."""
    registry = _registry(context)
    registry.verify(registry.get(number))
    typer.echo(f"version {number} is as it was added")


@app.command()
def merge(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=1, help="The version's number.")],
    out: Annotated[Path, typer.Argument(help="A new file.")],
    kind: Annotated[
        str, typer.Option("--type", help="Round all weights: q8_0, q6_k, q5_k_m or q4_k_m.")
    ] = "",
) -> None:
    """Write the model with a version merged in as one GGUF, for engines that take no adapters."""
    from agent_runtime.engine import modelfile
    from agent_runtime.models import embedded_model
    from exporters.merged import export_merged

    settings = config.load(context.obj)
    found = Registry(settings.registry_path).get(number)
    assert found.folder
    assert found.manifest
    base = settings.model_path or embedded_model(settings.home)
    if modelfile.digest(base) != found.manifest.base:
        raise RegistryError(f"version {number} was trained for another model than {base}")
    path = export_merged(
        base,
        found.folder / ADAPTER,
        out.expanduser().absolute(),
        version=str(number),
        scale=found.manifest.scale,
        kind=kind,
    )
    alike = "nearly as" if kind else "as"
    size = path.stat().st_size / 2**20
    typer.echo(f"{path} ({size:.1f} MiB) answers {alike} version {number} does, by itself")


@app.command()
def drop(context: typer.Context, why: Why = "dropped by hand") -> None:
    """End the challenger's trial: the champion answers all players again."""
    registry = _registry(context)
    challenger = registry.state().challenger
    if challenger is None:
        typer.echo("no version is on trial")
        return
    state = registry.drop(challenger, who=who(), why=why)
    typer.echo(f"version {challenger} is no longer on trial")
    _await_server(registry, state)


@app.command()
def ban(context: typer.Context, number: Number, why: Why = "banned by hand") -> None:
    """Let a version never serve again, and flag the data it was made from."""
    _registry(context).ban(number, who=who(), why=why)
    typer.echo(f"version {number} is banned, its data is flagged")


@app.command()
def unban(context: typer.Context, number: Number, why: Why = "taken back by hand") -> None:
    """Take a ban back."""
    _registry(context).unban(number, who=who(), why=why)
    typer.echo(f"version {number} may serve again; `townsfolk promote {number}` lets it")


@app.command()
def prune(
    context: typer.Context,
    keep: Annotated[int | None, typer.Option(min=0, help="Instead of registry.keep.")] = None,
    days: Annotated[int | None, typer.Option(min=0, help="Instead of registry.keep_days.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove old versions, but none that serves, could be needed to go back, or was decided about lately."""
    from agent_runtime.registry.retention import reasons_to_keep

    settings = config.load(context.obj)
    registry = Registry(settings.registry_path)
    found = registry.versions()
    reasons = reasons_to_keep(
        found,
        registry.state(),
        datetime.now(UTC),
        days=settings.registry.keep_days if days is None else days,
        keep=settings.registry.keep if keep is None else keep,
    )
    going = [version for version in found if version.number not in reasons]
    for version in going:
        if not dry_run:
            registry.remove(version.number, who=who(), why="too old (versions prune)")
        typer.echo(f"{'would remove' if dry_run else 'removed'} version {version.number}")
    if not going:
        typer.echo(f"nothing to remove: all {len(found)} are kept")


def promote(
    context: typer.Context,
    number: Number,
    why: Why = "promoted by hand",
    anyway: Annotated[bool, typer.Option("--anyway", help="Even if the gate refused it.")] = False,
) -> None:
    """Let a version answer all players."""
    registry = _registry(context)
    state = registry.state()
    if number == state.champion:
        typer.echo(f"version {number} is the champion already")
        return
    _check_gate(registry, number, anyway)
    state = registry.promote(number, expected=state.champion, who=who(), why=why)
    typer.echo(f"version {number} is the champion; `townsfolk rollback` goes back to {state.last_good}")
    _await_server(registry, state)


def challenge(
    context: typer.Context,
    number: Number,
    share: Annotated[int, typer.Option(min=1, max=50, help="Percent of the players it answers.")] = 5,
    why: Why = "challenged by hand",
    anyway: Annotated[bool, typer.Option("--anyway", help="Even if the gate refused it.")] = False,
) -> None:
    """Let a version answer some of the players, and their ratings decide."""
    registry = _registry(context)
    state = registry.state()
    if number == state.challenger:
        state = registry.set_share(number, share / 100, who=who(), why=why)
    else:
        _check_gate(registry, number, anyway)
        state = registry.challenge(number, share / 100, expected=state.challenger, who=who(), why=why)
    typer.echo(f"version {number} answers {share} % of the players; `townsfolk versions` says how it goes")
    _await_server(registry, state)


def rollback(context: typer.Context, why: Why = "rolled back by hand") -> None:
    """Go back to the last good version at once; the one that serves is banned, its data flagged."""
    registry = _registry(context)
    bad = registry.state().champion
    state = registry.rollback(who=who(), why=why, expected=bad)
    banned = f"version {bad} is banned, its data is flagged" if bad in state.banned else "nothing is banned"
    typer.echo(f"version {state.champion} is the champion again; {banned}")
    _await_server(registry, state)


def _registry(context: typer.Context) -> Registry:
    return Registry(config.load(context.obj).registry_path)


def _check_gate(registry: Registry, number: int, anyway: bool) -> None:
    manifest = registry.get(number).manifest
    if manifest and manifest.verdict.outcome == "refused" and not anyway:
        raise RegistryError(
            f"the gate refused version {number} ({manifest.verdict.summary}); look at "
            f"`townsfolk versions show {number}`, and add --anyway if you know better"
        )


def _await_server(registry: Registry, decided: State) -> None:
    """Say what a running server made of the decision."""
    from agent_runtime.registry.status import StatusFiles

    files, began = StatusFiles(registry.root), time.monotonic()
    wanted = (decided.champion, decided.challenger, decided.share)
    status = files.status()
    if not status or not status.alive:
        typer.echo("no server runs here: it holds from the next `townsfolk serve`")
        return
    while time.monotonic() - began < WAIT_SECONDS:
        status = files.status()
        state = registry.state()
        refused = [entry for entry in state.entries[len(decided.entries) :] if entry.what == "refuse"]
        if refused:
            raise RegistryError(
                f"the server refused version {refused[-1].version}: {refused[-1].why}\n"
                f"version {state.champion} goes on serving"
            )
        if status and (status.champion, status.challenger, status.share) == wanted:
            typer.echo(f"the server has it ({(time.monotonic() - began) * 1000:.0f} ms)")
            return
        time.sleep(LOOK_SECONDS)
    typer.echo("the server has not taken it up yet; its log says why", err=True)
