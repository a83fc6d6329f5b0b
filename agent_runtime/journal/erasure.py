"""A player who wants to be forgotten comes in; every text of theirs leaves the journal's tables.

Rows stay, empty, so that counts still hold. It never touches what other players said."""

from __future__ import annotations

import duckdb

_THEIR_TURNS = "select id from turns where player = $player"
_THEIR_ACTIONS = f"select id from actions where turn in ({_THEIR_TURNS})"
_STATEMENTS = (
    f"update action_results set result_reason = '' where id in ({_THEIR_ACTIONS})",
    f"update actions set arguments = '{{}}', reason = '' where turn in ({_THEIR_TURNS})",
    "update demonstrations set text = '' where player = $player",
    "update events set what = '', x = null, y = null, z = null where player = $player",
    """update turns set line = '', reply = '', raw = '', prompt = '[]', facts = '[]', quoted = [],
        flag_reason = '' where player = $player""",
)


def erase_texts(connection: duckdb.DuckDBPyConnection, player: str) -> None:
    """Empty everything that this player (a pseudonym) said, heard or did so far. Raises `duckdb.Error`."""
    for statement in _STATEMENTS:
        connection.execute(statement, {"player": player})
