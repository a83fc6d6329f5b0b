"""Words, clause by clause."""

from __future__ import annotations

from learner.clauses import clauses, runs


def test_clauses_have_no_tags_and_end_at_stops() -> None:
    said = "Hm, I don't know. [[ACTION:give item= bag]] You need [[recipe]] for THAT… snake_case"
    assert list(clauses(said)) == [
        ["hm"],
        ["i", "don't", "know"],
        ["you", "need"],
        ["for", "that"],
        ["snake", "case"],
    ]


def test_runs_lie_within_a_clause() -> None:
    assert list(runs(["a", "b", "c"], 2)) == ["a b", "b c"]
    assert list(runs(["a"], 2)) == []
