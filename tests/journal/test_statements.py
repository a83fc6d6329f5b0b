"""The SQL: what a caller gives never becomes part of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal import statements
from agent_runtime.journal.statements import ExportName, QueryName
from agent_runtime.journal.views import Filter

HOSTILE = "x'; drop table turns; --"
FILTERS = (
    Filter(npc=HOSTILE),
    Filter(players=(HOSTILE,)),
    Filter(turn=HOSTILE),
    Filter(since=datetime(2026, 1, 1, tzinfo=UTC)),
    Filter(until=datetime(2026, 1, 1, tzinfo=UTC)),
    Filter(rated=True),
    Filter(flagged=True),
)


@pytest.mark.parametrize("query", get_args(QueryName))
@pytest.mark.parametrize("chosen", FILTERS, ids=repr)
def test_each_filter_is_one_parameter_or_refused(query: QueryName, chosen: Filter) -> None:
    try:
        statement = statements.select(query, chosen)
    except JournalError as error:
        assert f"{query} cannot be filtered by" in str(error)  # noqa: PT017
        return
    assert statement.sql.count("?") == len(statement.parameters) == 2
    assert HOSTILE not in statement.sql


@pytest.mark.parametrize("name", get_args(ExportName))
def test_an_export_has_no_limit_and_no_sort(name: ExportName) -> None:
    statement = statements.export(name, Filter(since=datetime(2026, 1, 1, tzinfo=UTC), limit=1))
    assert "limit" not in statement.sql
    assert "order by" not in statement.sql
    assert len(statement.parameters) == 1
