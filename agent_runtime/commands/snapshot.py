"""`townsfolk journal snapshot | verify | forget`: seals what may be trained on, checks such a copy, and
erases a player's texts. Works while the server runs and while it does not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent_runtime import config
from agent_runtime.commands.arguments import moment, pseudonyms_of, who
from agent_runtime.errors import JournalError
from agent_runtime.journal.pseudonym import DIGITS
from agent_runtime.journal.statements import QueryName

OF_PLAYERS: tuple[QueryName, ...] = ("turns", "events", "ratings", "consents")
"""The questions whose answers name players."""


def snapshot(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="A new folder; without it, one under HOME/snapshots.")
    ] = None,
    since: Annotated[str, typer.Option(help="Turns from then on: 2h, 3d ago, or a date and time.")] = "",
    until: Annotated[str, typer.Option(help="Turns before then; written as for --since.")] = "",
) -> None:
    """Seal the rated turns of consenting players as Parquet files with a manifest."""
    from agent_runtime.journal.sealed import Scope, read_manifest
    from agent_runtime.journal.source import open_source, take_snapshot

    settings = config.load(context.obj)
    now = datetime.now(UTC)
    scope = Scope(
        consent=settings.privacy.consent,
        since=moment(since, now) if since else None,
        until=moment(until, now) if until else None,
    )
    with open_source(settings.journal_path) as source:
        folder = take_snapshot(source, scope, out and out.expanduser().absolute())
    manifest, left = read_manifest(folder), read_manifest(folder).left_out
    typer.echo(
        f"sealed {manifest.tables['turns'].rows} rated turns of {len(manifest.players)} players in {folder}\n"
        f"left out: {left.turns_without_consent} turns of {left.players_without_consent} players without "
        f"consent, {left.turns_erased} erased, {left.turns_not_rated} not rated"
    )


def verify(folder: Annotated[Path, typer.Argument(help="A snapshot's folder.")]) -> None:
    """Check that a snapshot is what was sealed."""
    from agent_runtime.journal.sealed import verify as check

    manifest = check(folder)
    typer.echo(f"{manifest.name} is as it was sealed, {manifest.created_at:%Y-%m-%d %H:%M} UTC")


def _known(settings: config.Settings, player: str) -> list[str]:
    """The pseudonyms of this player that the journal has rows of: a name has one on every server."""
    from agent_runtime.journal.source import open_source
    from agent_runtime.journal.views import Filter

    found = [pseudonym for pseudonym in pseudonyms_of(settings, player) if len(pseudonym) == DIGITS]
    with open_source(settings.journal_path) as source:
        return [
            pseudonym
            for pseudonym in found
            if any(source.rows(rows, Filter(players=(pseudonym,), limit=1)) for rows in OF_PLAYERS)
        ]


def forget(
    context: typer.Context,
    player: Annotated[str, typer.Argument(help="The player's name, or the whole pseudonym.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase everything a player said, here and in the snapshots; counts stay. It cannot be undone."""
    from agent_runtime.bridge.ulid import UlidMaker
    from agent_runtime.journal.rows import ConsentRow
    from agent_runtime.journal.source import erasures, open_source
    from agent_runtime.journal.source import forget as erase
    from agent_runtime.nights.erased import purge
    from agent_runtime.registry.store import Registry

    settings = config.load(context.obj)
    players = _known(settings, player)
    if not players:
        raise JournalError(
            f"the journal has nothing of a player called {player}, on any game server; nothing was erased. "
            "Names are written as in the game, capitals and all; `townsfolk journal turns` shows pseudonyms"
        )
    if not yes:
        typer.confirm(f"Erase what {player} said, on {len(players)} game servers?", abort=True)
    make_id, now = UlidMaker().make, datetime.now(UTC)
    rows = [ConsentRow(id=make_id(), player=found, choice="erase", decided_at=now) for found in players]
    removed = erase(settings.journal_path, rows)
    typer.echo(f"erased what {player} said; snapshots deleted with it: {len(removed)}")
    for folder in removed:
        typer.echo(f"    {folder}")
    with open_source(settings.journal_path) as source:
        erased = erasures(source)
    purged = purge(settings.learner_folder, Registry(settings.registry_path), erased, who())
    if purged.runs:
        typer.echo(f"data of nights deleted with it: {', '.join(purged.runs)}")
    for number in purged.versions:
        typer.echo(f"version {number} learned from it and is marked; the next night learns without it")
    typer.echo("copies that were exported elsewhere are yours to delete")
