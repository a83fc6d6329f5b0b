"""The SQL of every question there is: a query's name and a filter come in, a statement and its parameters
go out. Values always travel as parameters; nobody outside sends SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from agent_runtime.errors import JournalError
from agent_runtime.journal.rows import EventRow, TurnRow
from agent_runtime.journal.views import MAX_WHOLE_TURNS, Filter

QueryName = Literal[
    "turns", "turn", "ratings", "events", "actions", "consents", "erasures", "npcs", "servers", "stats"
]
ExportName = Literal["turns", "ratings", "events", "actions", "consents"]


class Statement(NamedTuple):
    """SQL with a `?` for each parameter."""

    sql: str
    parameters: list[object]


def _iso(column: str, name: str = "") -> str:
    """A time as RFC 3339 text; DuckDB's own text for times is not."""
    return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ') as {name or column.split('.')[-1]}"


_TURN = ", ".join(f"turns.{name}" for name in TurnRow.__struct_fields__ if name != "said_at")
_EVENT = ", ".join(f"events.{name}" for name in EventRow.__struct_fields__ if name != "received_at")
_TURNS = f"""
    with chosen as (select turns.* from turns where $where $order limit ?),
    judged as (
        select turn, avg(value) as rating
        from (
            select turn, arg_max(value, number) as value from ratings
            where turn in (select id from chosen) group by turn, player
        ) group by turn
    ),
    acted as (
        select turn, list(
            name || ': ' || if(verdict = 'refused', verdict, coalesce(result, 'pending')) order by id
        ) as actions
        from action_fates where turn in (select id from chosen) group by turn
    )
    select turns.id, {_iso("turns.said_at")}, turns.npc, turns.npc_name, turns.player, turns.line,
        turns.reply, turns.source, turns.version, turns.first_sentence_ms, turns.total_ms, turns.flagged,
        rating, coalesce(actions, []) as actions
    from chosen as turns
        left join judged on judged.turn = turns.id left join acted on acted.turn = turns.id
    $order"""
"""The list of turns has a statement of its own: it looks for ratings and actions of the chosen turns only."""

_COLUMNS: Mapping[QueryName, str] = {
    "turn": f"{_TURN}, {_iso('turns.said_at')}",
    "ratings": f"""ratings.id, ratings.turn, ratings.player, ratings.value, ratings.scale,
        {_iso("ratings.rated_at")}, latest_ratings.id is not null as latest,
        turns.npc_name, turns.line, turns.reply, latest_consents.choice as consent""",
    "events": f"{_EVENT}, {_iso('events.received_at')}",
    "actions": f"""action_fates.id, turn, name, arguments, verdict, action_fates.reason, result,
        result_reason, {_iso("action_fates.result_at")}, {_iso("turns.said_at")},
        turns.npc_name, turns.player""",
    "consents": f"""consents.player, consents.choice, {_iso("consents.decided_at")},
        {_iso("erasures.erased_at")}""",
    "erasures": f"player, {_iso('erased_at')}, number",
    "npcs": f"""id, server, name, persona, x, y, z, state, {_iso("seen_at")},
        (select count(*) from turns where turns.npc = npcs.id) as turns""",
    "servers": "server, coalesce(arg_max(server_name, opened_at), '') as server_name",
    "stats": f"""count(*) as turns, count(*) filter (turns.source = 'model') as model_turns,
        count(*) filter (turns.flagged) as flagged, count(distinct turns.npc) as npcs,
        count(distinct turns.player) as players,
        (select count(*) from ratings) as ratings,
        (select count(distinct player) from ratings) as raters,
        (select count(distinct turn) from ratings) as rated_turns,
        (select avg(value) from latest_ratings) as mean_rating,
        (select count(*) from actions) as actions,
        (select count(*) from actions where verdict = 'refused') as refused,
        (select count(*) from action_results where result = 'done') as done,
        (select count(*) from action_results where result <> 'done') as failed,
        (select count(*) from events) as events,
        (select count(*) from sessions) as sessions,
        (select count(*) from latest_consents where choice = 'allow') as allowed,
        (select count(*) from latest_consents where choice <> 'allow') as withdrawn,
        (select count(*) from erasures) as erased,
        {_iso("min(turns.said_at)", "first_at")}, {_iso("max(turns.said_at)", "last_at")},
        quantile_cont(first_sentence_ms, 0.5) filter (turns.source = 'model') as first_sentence_p50_ms,
        quantile_cont(first_sentence_ms, 0.95) filter (turns.source = 'model') as first_sentence_p95_ms""",
}

_EXPORTED: Mapping[ExportName, str] = {
    "turns": "turns.*, (select avg(value) from latest_ratings where turn = turns.id) as rating",
    "ratings": "ratings.* exclude (number), latest_ratings.id is not null as latest",
    "events": "events.*",
    "actions": "action_fates.*",
    "consents": "consents.* exclude (number)",
}

_FROM: Mapping[QueryName, str] = {
    "turns": "turns",
    "turn": "turns",
    "ratings": "ratings left join latest_ratings on latest_ratings.id = ratings.id "
    "left join turns on turns.id = ratings.turn "
    "left join latest_consents on latest_consents.player = ratings.player",
    "events": "events",
    "actions": "action_fates left join turns on turns.id = action_fates.turn",
    "consents": "latest_consents as consents left join erasures using (player)",
    "erasures": "erasures",
    "npcs": "npcs",
    # Where the disk was full when a game server came, only what it sent later says that there is one.
    "servers": "(select server, server_name, opened_at from sessions union all "
    "select distinct server, null, null from turns union all select distinct server, null, null from events)",
    "stats": "turns",
}

_LAST_FIRST: Mapping[QueryName, str] = {
    "turns": "order by turns.said_at desc, turns.id desc",
    "turn": "order by turns.said_at desc, turns.id desc",
    "ratings": "order by ratings.number desc",
    "events": "order by events.received_at desc, events.game_s desc",
    "actions": "order by turns.said_at desc nulls first, action_fates.id desc",
    "consents": "order by consents.number desc",
    "erasures": "order by number desc",
    "npcs": "order by name, id",
    "servers": "group by server order by server",
    "stats": "",
}

# Which column a filter looks at, in the queries that have it.
_SERVER: Mapping[QueryName, str] = {"npcs": "npcs.server"}
_TIME: Mapping[QueryName, str] = {
    "turns": "turns.said_at",
    "turn": "turns.said_at",
    "ratings": "ratings.rated_at",
    "events": "events.received_at",
    "actions": "turns.said_at",
    "consents": "consents.decided_at",
}
_PLAYER: Mapping[QueryName, str] = {
    "turns": "turns.player",
    "turn": "turns.player",
    "ratings": "ratings.player",
    "events": "events.player",
    "actions": "turns.player",
    "consents": "consents.player",
}
_TURN_ID: Mapping[QueryName, str] = {
    "turns": "turns.id",
    "turn": "turns.id",
    "ratings": "ratings.turn",
    "actions": "action_fates.turn",
}


def select(query: QueryName, chosen: Filter) -> Statement:
    """The rows of a query, each as one JSON text, newest first. Raises `JournalError`."""
    where, parameters = _where(query, chosen)
    if query == "turns":
        inner = _TURNS.replace("$where", where).replace("$order", _LAST_FIRST[query])
    else:
        inner = f"select {_COLUMNS[query]} from {_FROM[query]} where {where} {_LAST_FIRST[query]} limit ?"
    limit = min(chosen.limit, MAX_WHOLE_TURNS) if query == "turn" else chosen.limit
    return Statement(f"select to_json(found) from ({inner}) as found", [*parameters, limit])


def export(name: ExportName, chosen: Filter) -> Statement:
    """All rows of a table that the filter chooses, in the columns' own types and the order they were stored
    in: sorting long rows takes more memory than a game server can spare. The filter's limit does not hold.
    Raises `JournalError`."""
    where, parameters = _where(name, chosen)
    return Statement(f"select {_EXPORTED[name]} from {_FROM[name]} where {where}", parameters)


def _where(query: QueryName, chosen: Filter) -> tuple[str, list[object]]:
    found = list(_conditions(query, chosen))
    return " and ".join(["true", *(sql for sql, _ in found)]), [value for _, value in found]


def _conditions(query: QueryName, chosen: Filter) -> Iterator[tuple[str, object]]:
    """Each condition has one parameter. A filter that a query has no column for is an error, so that nobody
    takes all rows for a selection."""

    def column(columns: Mapping[QueryName, str], what: str) -> str:
        if query not in columns:
            raise JournalError(f"{query} cannot be filtered by {what}")
        return columns[query]

    if chosen.server:
        yield f"{column(_SERVER, 'server')} = ?", chosen.server
    if chosen.npc:
        column(_TURN_ID, "NPC")
        yield "lower(?) in (lower(turns.npc), lower(turns.npc_name))", chosen.npc
    if chosen.players is not None:
        starts = f"starts_with({column(_PLAYER, 'player')}, digits)"
        given = "(select unnest(?::varchar[]) as digits)"
        yield f"exists (select 1 from {given} where {starts})", list(chosen.players)
    if chosen.turn:
        yield f"ends_with(upper({column(_TURN_ID, 'turn')}), upper(?))", chosen.turn
    if chosen.since:
        yield f"{column(_TIME, 'time')} >= ?::timestamptz", chosen.since.isoformat()
    if chosen.until:
        yield f"{column(_TIME, 'time')} < ?::timestamptz", chosen.until.isoformat()
    if chosen.rated:
        yield f"({column(_TURN_ID, 'rating')} in (select turn from ratings)) = ?", True
    if chosen.flagged:
        column(_TURN_ID, "flag")
        yield "turns.flagged = ?", True
