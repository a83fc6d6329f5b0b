"""`townsfolk npc …`: the NPCs that players have met, and the personas they can have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent_runtime import config
from agent_runtime.errors import ModelFileError, PersonaError

app = typer.Typer(no_args_is_help=True, help="NPCs and their personas.")


@app.command("list")
def list_known(context: typer.Context) -> None:
    """List the NPCs of all game servers, as they were last heard of."""
    from agent_runtime.journal.source import ask, open_source
    from agent_runtime.journal.views import MAX_ROWS, Filter, NpcView

    with open_source(config.load(context.obj).journal_path) as source:
        known = ask(source, "npcs", Filter(limit=MAX_ROWS), NpcView)
    for npc in known:
        where = "removed" if npc.state == "removed" else f"at {npc.x:.0f},{npc.y:.0f},{npc.z:.0f}"
        seen = npc.seen_at.astimezone().strftime("%Y-%m-%d %H:%M")
        typer.echo(f"{npc.name:16} {npc.persona:12} {where:24} {npc.turns:6} turns  heard of {seen}")
    if not known:
        typer.echo("no NPC yet: start `townsfolk serve`, then `/npc spawn` in the game")


@app.command()
def personas(context: typer.Context) -> None:
    """List the personas: those that come along, and your own."""
    from agent_runtime.npc.persona import load_personas

    for persona in load_personas(*config.load(context.obj).persona_folders).values():
        typer.echo(f"{persona.id:12} {persona.name}, {persona.role}")


@app.command()
def show(context: typer.Context, persona: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Show one persona: who it is, what it may do, what it carries, what it says without the model."""
    from agent_runtime.npc.persona import load_personas

    known = load_personas(*config.load(context.obj).persona_folders)
    if persona not in known:
        raise PersonaError(f"{persona}: there is no such persona; there are {', '.join(sorted(known))}")
    found = known[persona]
    typer.echo(f"{found.name}, {found.role}\nvoice: {found.voice}\n{found.about}")
    if found.adapter:
        typer.echo(f"adapter: {_described(found.adapter)}")
    typer.echo(f"may: {', '.join(found.capabilities)}")
    carried = ", ".join(f"{count} {item}" for item, count in found.inventory.items())
    typer.echo(f"carries: {carried or 'nothing'}")
    for kind in found.canned.__struct_fields__:
        for line in getattr(found.canned, kind):
            typer.echo(f"{kind}: {line}")


def _described(adapter: Path) -> str:
    """Where an adapter lies, and the name by which a server elsewhere must list it."""
    from agent_runtime.engine.modelfile import digest
    from agent_runtime.serving.persona_lanes import lane_key

    try:
        return f"{adapter}, as {lane_key(digest(adapter))}"
    except ModelFileError as error:
        return f"{error}; the champion answers"
