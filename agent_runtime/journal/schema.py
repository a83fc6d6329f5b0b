"""The journal's tables: an open connection comes in and leaves with the newest schema.

Migrations are named functions, run in order, each once and in its own transaction, and recorded when
applied. A released one never changes; a journal that knows one that we do not know is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb

from agent_runtime.errors import JournalError

Migration = Callable[[duckdb.DuckDBPyConnection], None]


def m001_turns_ratings_events(connection: duckdb.DuckDBPyConnection) -> None:
    """The first tables. Ratings are numbered as they arrive, because a clock may be set back."""
    connection.execute(
        """
        create table sessions (
            id varchar primary key, server varchar not null, server_name varchar not null,
            engine varchar not null, game varchar not null, mod varchar not null,
            opened_at timestamptz not null);
        create table session_ends (
            id varchar primary key, closed_at timestamptz not null, reason varchar not null);
        create table turns (
            id varchar primary key, chat varchar not null, session varchar not null,
            server varchar not null, server_name varchar not null,
            npc varchar not null, npc_name varchar not null, persona varchar not null,
            player varchar not null, said_at timestamptz not null, how varchar not null,
            line varchar not null, reply varchar not null, raw varchar not null,
            source varchar not null check (source in ('model', 'late', 'busy', 'slow_down', 'offline')),
            version integer not null, base varchar not null, adapter varchar, template varchar not null,
            prompt json not null, facts json not null, quoted integer[] not null,
            sampling json, seed bigint,
            prompt_tokens integer, cached_tokens integer, completion_tokens integer,
            first_token_ms double, first_sentence_ms double, total_ms double, finish varchar,
            flagged boolean not null, flag_reason varchar not null);
        create table actions (
            id varchar primary key, turn varchar not null, name varchar not null, arguments json not null,
            verdict varchar not null check (verdict in ('allowed', 'refused')), reason varchar not null);
        create table action_results (
            id varchar primary key,
            result varchar not null check (result in ('done', 'refused', 'failed', 'stale')),
            result_reason varchar not null, result_at timestamptz not null);
        create sequence rating_number;
        create table ratings (
            number bigint not null default nextval('rating_number'),
            id varchar primary key, turn varchar not null, player varchar not null,
            value integer not null check (value between 1 and 5),
            scale varchar not null check (scale in ('stars', 'thumb')),
            rated_at timestamptz not null);
        create table events (
            server varchar not null, received_at timestamptz not null, game_s double not null,
            kind varchar not null, player varchar not null, what varchar not null,
            x double, y double, z double);
        create sequence npc_state_number;
        create table npc_states (
            number bigint not null default nextval('npc_state_number'),
            id varchar not null, server varchar not null, name varchar not null, persona varchar not null,
            x double not null, y double not null, z double not null,
            state varchar not null check (state in ('spawned', 'moved', 'removed')),
            seen_at timestamptz not null);
        create view latest_ratings as
            select * from ratings
            qualify row_number() over (partition by turn, player order by number desc) = 1;
        create view action_fates as
            select actions.*, result, result_reason, result_at
            from actions left join action_results using (id);
        create view npcs as
            select * from npc_states
            qualify row_number() over (partition by id order by number desc) = 1;
        """
    )


def m002_consents_demonstrations(connection: duckdb.DuckDBPyConnection) -> None:
    """What players decided about their talk, and how they would have had a reply. Numbered like ratings."""
    connection.execute(
        """
        create sequence consent_number;
        create table consents (
            number bigint not null default nextval('consent_number'),
            id varchar primary key, player varchar not null,
            choice varchar not null check (choice in ('allow', 'withdraw', 'erase')),
            decided_at timestamptz not null);
        create sequence demonstration_number;
        create table demonstrations (
            number bigint not null default nextval('demonstration_number'),
            id varchar primary key, turn varchar not null, player varchar not null, text varchar not null,
            shown_at timestamptz not null);
        create view latest_consents as
            select * from consents
            qualify row_number() over (partition by player order by number desc) = 1;
        create view erasures as
            select player, max(decided_at) as erased_at from consents where choice = 'erase' group by player;
        create view latest_demonstrations as
            select * from demonstrations
            qualify row_number() over (partition by turn, player order by number desc) = 1;
        """
    )


def m003_numbered_erasures(connection: duckdb.DuckDBPyConnection) -> None:
    """Erasures are counted as they arrive, so that what was made before one can be told without a clock."""
    connection.execute(
        """
        create or replace view erasures as
            select player, max(decided_at) as erased_at, max(nth) as number
            from (
                select player, decided_at, row_number() over (order by number) as nth
                from consents where choice = 'erase'
            ) group by player;
        """
    )


MIGRATIONS: tuple[Migration, ...] = (
    m001_turns_ratings_events,
    m002_consents_demonstrations,
    m003_numbered_erasures,
)


def applied(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the migrations that a journal has, oldest first."""
    found = connection.execute("select 1 from duckdb_tables() where table_name = 'migrations'").fetchone()
    if found is None:
        return []
    return [name for (name,) in connection.execute("select name from migrations order by number").fetchall()]


def pending(
    connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration] = MIGRATIONS
) -> list[Migration]:
    """The migrations that a journal still needs. Raises `JournalError` when a newer Townsfolk wrote it."""
    known = [migration.__name__ for migration in migrations]
    done = applied(connection)
    unknown = [name for name in done if name not in known]
    if unknown:
        raise JournalError(
            f"the journal was written by a newer Townsfolk (it has {unknown[0]}): upgrade Townsfolk, "
            "or choose another --home"
        )
    return [migration for migration in migrations if migration.__name__ not in done]


def migrate(connection: duckdb.DuckDBPyConnection, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Bring a journal to the newest schema; returns the names of what was applied now."""
    missing = pending(connection, migrations)
    if not missing:
        return []
    connection.execute(
        "create table if not exists migrations "
        "(number integer not null, name varchar primary key, applied_at timestamptz not null)"
    )
    first = len(migrations) - len(missing) + 1
    for number, migration in enumerate(missing, first):
        connection.execute("begin")
        try:
            migration(connection)
            connection.execute("insert into migrations values (?, ?, now())", [number, migration.__name__])
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
    return [migration.__name__ for migration in missing]
