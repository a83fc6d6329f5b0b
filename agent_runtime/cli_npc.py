"""`townsfolk npc …`: the NPCs that players have met, and the personas they can have."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_runtime import config
from agent_runtime.errors import PersonaError

app = typer.Typer(no_args_is_help=True, help="NPCs and their personas.")


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
    typer.echo(f"may: {', '.join(found.capabilities)}")
    carried = ", ".join(f"{count} {item}" for item, count in found.inventory.items())
    typer.echo(f"carries: {carried or 'nothing'}")
    for kind in found.canned.__struct_fields__:
        for line in getattr(found.canned, kind):
            typer.echo(f"{kind}: {line}")
