"""`townsfolk model …`: fetch a model, and show the one that is chosen."""

from __future__ import annotations

from typing import Annotated

import typer

from agent_runtime import config

app = typer.Typer(no_args_is_help=True, help="The base model.")


@app.command()
def pull(
    context: typer.Context,
    repo: Annotated[str, typer.Argument(help="A Hugging Face repository: OWNER/NAME.")],
    file: Annotated[str, typer.Argument(help="The GGUF file in it.")],
    revision: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
    endpoint: Annotated[str, typer.Option(help="Another host that speaks the Hub's interface.")] = "",
) -> None:
    """Fetch a GGUF file into HOME/models; resumes, and checks the checksum."""
    from agent_runtime.models import pull as fetch

    settings = config.load(context.obj)
    path = fetch(repo, file, settings.home, revision=revision, endpoint=endpoint or None)
    typer.echo(f"fetched {path}")
    typer.echo(f"to use it, set model.path = {path} (`townsfolk config init`), then run `townsfolk doctor`")


@app.command()
def show(context: typer.Context) -> None:
    """Show the model that the settings choose."""
    from agent_runtime.engine import modelfile
    from agent_runtime.models import embedded_model

    settings = config.load(context.obj)
    path = settings.model_path or embedded_model(settings.home)
    values = modelfile.read_header(path).values
    typer.echo(f"file: {path} ({path.stat().st_size / 2**20:.1f} MiB)")
    typer.echo(f"name: {values.get('general.name', path.stem)}")
    typer.echo(f"architecture: {values['general.architecture']}")
    typer.echo(f"sha256: {modelfile.digest(path)}")
