"""`townsfolk journal …`: shows, filters and exports what was said, done and rated.

It reads the journal's file, or asks the running server for it, which has the file for itself; only `forget`
changes anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from agent_runtime import config
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

_FILTERS: dict[str, tuple[Any, object]] = {
    "npc": (Npc, ""),
    "player": (Player, ""),
    "since": (Since, ""),
    "until": (Until, ""),
    "rated": (Rated, False),
    "flagged": (Flagged, False),
    "limit": (Limit, 20),
    "json": (Json, False),
}
"""Each option of a list with its default."""


def _add_list(query: QueryName, view: type[Row], help: str, *filters: str) -> None:
    """A command that lists a query's rows, with those of the filters that fit it."""
    given = {name: _FILTERS[name] for name in (*filters, "limit", "json")}
    kind = inspect.Parameter.KEYWORD_ONLY

    def run(context: typer.Context, **values: Any) -> None:
        from agent_runtime.journal import render

        json = values.pop("json")
        _list(context, query, _filter(context, **values), view, getattr(render, query), json)

    # Typer reads a command's options from its signature.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
            *(
                inspect.Parameter(name, kind, default=value, annotation=of)
                for name, (of, value) in given.items()
            ),
        ]
    )
    app.command(query, help=help)(run)


_add_list(
    "turns",
    TurnSummary,
    "The talk: lines and replies, with ratings and actions.",
    *("npc", "player", "since", "until", "rated", "flagged"),
)
_add_list("ratings", RatingView, "What players thought of replies.", "npc", "player", "since", "until")
_add_list("events", EventRow, "What happened in the worlds.", "player", "since", "until")
_add_list(
    "actions",
    ActionView,
    "What NPCs said they would do, and what they did.",
    *("npc", "player", "since", "until", "flagged"),
)


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

    chosen = _filter(context, npc, player, since, until, rated, flagged)
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


def _filter(
    context: typer.Context,
    npc: str = "",
    player: str = "",
    since: str = "",
    until: str = "",
    rated: bool = False,
    flagged: bool = False,
    limit: int = MAX_ROWS,
) -> Filter:
    return Filter(
        npc=npc,
        players=pseudonyms_of(config.load(context.obj), player) if player else None,
        since=moment(since, datetime.now(UTC)) if since else None,
        until=moment(until, datetime.now(UTC)) if until else None,
        rated=rated,
        flagged=flagged,
        limit=limit,
    )
