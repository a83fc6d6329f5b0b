"""`townsfolk journal …`: shows, filters and exports what was said, done and rated.

It reads the journal's file, or asks the running server for it, which has the file for itself; only `forget`
changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from agent_runtime import config, files
from agent_runtime.commands import snapshot
from agent_runtime.commands.arguments import moment, pseudonyms_of
from agent_runtime.errors import JournalError
from agent_runtime.journal.rows import EventRow, TurnRow
from agent_runtime.journal.statements import QueryName
from agent_runtime.journal.views import (
    MAX_ROWS,
    ActionView,
    Filter,
    RatingView,
    Stats,
    TurnSummary,
)

app = typer.Typer(no_args_is_help=True, help="What was said, done and rated.")

Row = TypeVar("Row")


@app.callback()
def _common(context: typer.Context) -> None:
    context.with_resource(files.private())


class Table(StrEnum):
    """What can be exported."""

    turns = "turns"
    ratings = "ratings"
    events = "events"
    actions = "actions"
    consents = "consents"


class FileFormat(StrEnum):
    """How it can be written."""

    parquet = "parquet"
    jsonl = "jsonl"
    csv = "csv"


Npc = Annotated[str, typer.Option(help="Only this NPC's: its name or id.")]
Player = Annotated[str, typer.Option(help="Only this player's: the name, or the pseudonym shown.")]
Since = Annotated[str, typer.Option(help="From then on: 30m, 2h, 3d, 1w ago, or a date and time.")]
Until = Annotated[str, typer.Option(help="Before then; written as for --since.")]
Rated = Annotated[bool, typer.Option("--rated", help="Only turns that somebody rated.")]
Flagged = Annotated[bool, typer.Option("--flagged", help="Only turns that somebody should look at.")]
Limit = Annotated[int, typer.Option(min=1, max=MAX_ROWS, help="At most so many, the newest.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


@app.command()
def turns(
    context: typer.Context,
    npc: Npc = "",
    player: Player = "",
    since: Since = "",
    until: Until = "",
    rated: Rated = False,
    flagged: Flagged = False,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """The talk: lines and replies, with ratings and actions."""
    from agent_runtime.journal import render

    chosen = Filter(
        npc=npc,
        players=_players(context, player),
        since=_moment(since),
        until=_moment(until),
        rated=rated,
        flagged=flagged,
        limit=limit,
    )
    _list(context, "turns", chosen, TurnSummary, render.turns, json)


@app.command()
def ratings(
    context: typer.Context,
    npc: Npc = "",
    player: Player = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """What players thought of replies."""
    from agent_runtime.journal import render

    players = _players(context, player)
    chosen = Filter(npc=npc, players=players, since=_moment(since), until=_moment(until), limit=limit)
    _list(context, "ratings", chosen, RatingView, render.ratings, json)


@app.command()
def events(
    context: typer.Context,
    player: Player = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """What happened in the worlds."""
    from agent_runtime.journal import render

    players = _players(context, player)
    chosen = Filter(players=players, since=_moment(since), until=_moment(until), limit=limit)
    _list(context, "events", chosen, EventRow, render.events, json)


@app.command()
def actions(
    context: typer.Context,
    npc: Npc = "",
    player: Player = "",
    since: Since = "",
    until: Until = "",
    flagged: Flagged = False,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """What NPCs said they would do, and what they did."""
    from agent_runtime.journal import render

    chosen = Filter(
        npc=npc,
        players=_players(context, player),
        since=_moment(since),
        until=_moment(until),
        flagged=flagged,
        limit=limit,
    )
    _list(context, "actions", chosen, ActionView, render.actions, json)


@app.command()
def stats(context: typer.Context, json: Json = False) -> None:
    """Totals."""
    from agent_runtime.journal import render

    _list(context, "stats", Filter(), Stats, lambda rows: render.stats(rows[0]), json)


@app.command()
def show(
    context: typer.Context,
    turn: Annotated[
        str, typer.Argument(help="A turn's id, or the end of it; without it, the last turn.")
    ] = "",
    json: Json = False,
) -> None:
    """One turn wholly: prompt, reply, what was said against what was done, figures, ratings."""
    from rich.console import Console

    from agent_runtime.journal import render
    from agent_runtime.journal.source import ask, open_source

    with open_source(config.load(context.obj).journal_path) as source:
        limit = 2 if turn else 1
        found = ask(source, "turn", Filter(turn=turn, limit=limit), TurnRow)
        if not found:
            raise JournalError(
                f"there is no turn {turn}: `townsfolk journal turns` lists them" if turn else _none("turns")
            )
        if len(found) > 1:
            raise JournalError(
                f"several turns end in {turn}, such as {found[0].id} and {found[1].id}; write more of the id"
            )
        if json:
            typer.echo(source.rows("turn", Filter(turn=found[0].id))[0].decode())
            return
        about = Filter(turn=found[0].id, limit=MAX_ROWS)
        acted = ask(source, "actions", about, ActionView)
        rated = ask(source, "ratings", about, RatingView)
    Console().print(render.turn(found[0], acted, rated))


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to; replaced when it is there.")],
    table: Annotated[Table, typer.Option("--table", help="What to export.")] = Table.turns,
    format: Annotated[
        FileFormat | None, typer.Option("--format", help="Without it, the file's name decides.")
    ] = None,
    npc: Npc = "",
    player: Player = "",
    since: Since = "",
    until: Until = "",
    rated: Rated = False,
    flagged: Flagged = False,
) -> None:
    """Write a selection to a Parquet, JSON-lines or CSV file, in the order it was stored."""
    from agent_runtime.journal.export import format_of, publish
    from agent_runtime.journal.source import open_source

    chosen = Filter(
        npc=npc,
        players=_players(context, player),
        since=_moment(since),
        until=_moment(until),
        rated=rated,
        flagged=flagged,
    )
    wanted = format.value if format else format_of(file)
    with open_source(config.load(context.obj).journal_path) as source:
        publish(source.export(table.value, chosen, wanted), file)
    typer.echo(f"wrote {table.value} to {file}")


for command in (snapshot.snapshot, snapshot.verify, snapshot.forget):
    app.command()(command)


def _list(
    context: typer.Context,
    query: QueryName,
    chosen: Filter,
    view: type[Row],
    table: Callable[[Sequence[Row]], object],
    json: bool,
) -> None:
    from rich.console import Console

    from agent_runtime.journal.queries import decoded
    from agent_runtime.journal.source import open_source

    with open_source(config.load(context.obj).journal_path) as source:
        rows = source.rows(query, chosen)
    if json:
        for row in rows:
            typer.echo(row.decode())
    elif rows:
        Console().print(table(decoded(rows, view)))
    else:
        narrowed = chosen != Filter(limit=chosen.limit)
        typer.echo(f"no {query} match: leave out a filter" if narrowed else _none(query))


def _none(query: QueryName) -> str:
    return f"no {query} yet: start `townsfolk serve` and talk to an NPC in the game"


def _players(context: typer.Context, player: str) -> tuple[str, ...] | None:
    """The pseudonyms to look for; None when no player was named."""
    return pseudonyms_of(config.load(context.obj), player) if player else None


def _moment(text: str) -> datetime | None:
    return moment(text, datetime.now(UTC)) if text else None
