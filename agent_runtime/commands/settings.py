"""`townsfolk config …`: shows the settings and where each came from, and drafts a settings file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from agent_runtime import config
from agent_runtime.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="The settings: draft, check, show.")


@app.command()
def init(
    context: typer.Context,
    write: Annotated[bool, typer.Option(help="Write it to HOME/townsfolk.toml.")] = False,
) -> None:
    """Print a settings file with every key, its meaning and its default."""
    if not write:
        typer.echo(template(), nl=False)
        return
    path = (context.obj or config.default_home()) / config.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError as error:
        raise ConfigError([f"{path}: is there already; edit it, or remove it first"]) from error
    typer.echo(f"wrote {path}")


@app.command()
def check(context: typer.Context) -> None:
    """Check the settings: all problems, or every value and where it comes from."""
    settings = config.load(context.obj)
    file = settings.home / config.FILE_NAME
    typer.echo(f"# {file}{'' if file.exists() else ' (not there: defaults hold)'}")
    for key in config.all_keys():
        sources = {"env": key.variable, "file": config.FILE_NAME, "default": "default"}
        source = sources[config.origin(key, settings.home)]
        typer.echo(f"{key.dotted} = {toml_value(_value(settings, key))}  # {source}")
    for warning in settings.warnings():
        typer.echo(f"warning: {warning}", err=True)


@app.command()
def show(
    context: typer.Context, key: Annotated[str, typer.Argument(help="Such as server.port.")] = ""
) -> None:
    """Print one value for a script, or the home and the paths in use."""
    settings = config.load(context.obj)
    if not key:
        typer.echo(f"home = {settings.home}")
        typer.echo(f"model = {settings.model_path or 'embedded'}")
        typer.echo(f"journal = {settings.journal_path}")
        typer.echo(f"personas = {', '.join(map(str, settings.persona_folders))}")
        typer.echo(f"token = {settings.token_path}")
        return
    known = {item.dotted: item for item in config.all_keys()}
    if key not in known:
        raise ConfigError([f"{key}: there is no such setting; `townsfolk config check` shows them all"])
    value = _value(settings, known[key])
    typer.echo("" if value is None else value)


def template() -> str:
    """A settings file in which every key stands commented out at its default."""
    lines = ["# Settings of Townsfolk. A variable TOWNSFOLK_SECTION__KEY goes over this file."]
    section = ""
    for key in config.all_keys():
        if key.section != section:
            section = key.section
            lines += ["", f"[{section}]"]
        lines += [f"# {key.meaning} ({key.allowed})", f"# {key.name} = {toml_value(key.default)}"]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """A value as TOML spells it; an unset path is the empty string."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = "" if value is None else os.fspath(value) if isinstance(value, Path) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(settings: config.Settings, key: config.Key) -> Any:
    return getattr(getattr(settings, key.section), key.name)
