"""The command `townsfolk`: arguments come in, one of our modules does the work, an exit status goes out.

Heavy libraries are imported by the commands that need them, so that `--help` is quick. Errors of ours
end with their message and status 2, never with a traceback.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent_runtime import __version__, config, files
from agent_runtime.commands import journal, model, npc, settings, versions
from agent_runtime.errors import ConfigError, TownsfolkError

app = typer.Typer(
    name="townsfolk",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="NPCs for Luanti servers: they answer at once, act within limits, and learn from ratings.",
)
mod = typer.Typer(no_args_is_help=True, help="The mod in a Luanti world.")
app.add_typer(npc.app, name="npc")
app.add_typer(journal.app, name="journal")
app.add_typer(model.app, name="model")
app.add_typer(versions.app, name="versions")
app.command()(versions.promote)
app.command()(versions.challenge)
app.command()(versions.rollback)
app.add_typer(settings.app, name="config")
app.add_typer(mod, name="mod")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"townsfolk {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            help="Folder of settings, journal, token and models "
            "(default: TOWNSFOLK_HOME, else the platform's data folder)."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = home.expanduser().absolute() if home else None


@app.command()
def serve(context: typer.Context) -> None:
    """Answer game servers until told to stop (SIGINT or SIGTERM)."""
    settings = config.load(context.obj)
    from agent_runtime import logs
    from agent_runtime.app import serve as run

    logs.configure(settings.log.level, settings.log.format)
    for warning in settings.warnings():
        logs.warn(warning)
    with files.private():
        raise typer.Exit(asyncio.run(run(settings)))


@app.command()
def chat(
    context: typer.Context,
    npc: Annotated[str, typer.Option(help="The persona; `townsfolk npc personas` lists them.")] = "mira",
    player: Annotated[str, typer.Option(help="Your name.")] = "you",
    version: Annotated[
        int | None, typer.Option(min=0, help="The version that answers; without it, the champion.")
    ] = None,
) -> None:
    """Talk with an NPC in this terminal, without a game."""
    settings = config.load(context.obj)
    from agent_runtime import logs
    from agent_runtime.chat import chat as talk

    logs.configure("warning", settings.log.format)
    talk(settings, npc, player, version)


@app.command(
    add_help_option=False,
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
def learn(context: typer.Context) -> None:
    """Learn from ratings: run a night now, see when the next one is and what the last one did."""
    from agent_runtime.nights.child import command

    # A program of its own, in this one's place: the runtime never imports what learns.
    argv = command(context.obj or config.default_home(), *context.args)
    os.execv(argv[0], argv)


@app.command()
def doctor(context: typer.Context) -> None:
    """Look at what the runtime needs of this machine; status 1 when something is broken."""
    from rich.console import Console

    from agent_runtime.doctor.doctor import examine

    broken = False
    console = Console()
    with console.status("looking; loading and measuring the model takes some seconds …"):
        for finding in examine(context.obj):
            console.print(finding.line(), markup=False, highlight=False, soft_wrap=True)
            broken = broken or finding.state == "broken"
    raise typer.Exit(1 if broken else 0)


@mod.command("install")
def mod_install(
    context: typer.Context,
    world: Annotated[Path, typer.Option(help="The world's folder: the one with world.mt in it.")],
    conf: Annotated[
        Path | None, typer.Option("--config", help="The configuration the Luanti server is started with.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write the settings into --config (keeps a .bak).")
    ] = False,
) -> None:
    """Copy the mod into a world and show the settings that the server needs."""
    from agent_runtime import mod_install as installer
    from agent_runtime.bridge.token import load_or_create_token

    if apply and conf is None:
        raise ConfigError(["--apply needs --config FILE: the configuration the server is started with"])
    settings = config.load(context.obj)
    conf_text = installer.read_conf(conf) if conf else ""
    done = installer.install(config.share_dir() / "luanti_bridge_mod", world.expanduser())
    said = {"installed": "installed", "replaced": "replaced the copy in", "unchanged": "up to date:"}
    typer.echo(f"{said[done.outcome]} {done.path}")
    token = load_or_create_token(settings.token_path)
    needed = installer.needed_settings(conf_text, token, settings.server.host, settings.server.port)
    if conf and apply:
        changed = installer.apply(conf, needed)
        typer.echo(f"wrote {conf} (before: {conf}.bak)" if changed else f"nothing to change in {conf}")
        if conf.stat().st_mode & 0o004:
            typer.echo(
                f"warning: every user of this machine can read the token in {conf}: chmod o-r", err=True
            )
    else:
        typer.echo(f"the server's configuration needs{f' ({conf})' if conf else ''}:")
        for name, value in needed.items():
            typer.echo(f"    {name} = {value}")
        typer.echo("add --config FILE --apply to have them written")
    typer.echo("then restart the Luanti server")


def main() -> None:
    """The entry point."""
    try:
        app()
    except TownsfolkError as error:
        for line in str(error).splitlines():
            print(f"townsfolk: {line}", file=sys.stderr)
        sys.exit(2)
