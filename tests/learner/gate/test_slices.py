"""What was gained and lost, counted by hand."""

from __future__ import annotations

import pytest

from agent_runtime.errors import EvidenceError
from learner.gate.evidence import Answer, Side
from learner.gate.slices import actions, compare, pooled


def rows(name: str, case: str, champion: str, challenger: str) -> list[Answer]:
    """One letter per draw: g is a good reply."""
    sides: tuple[tuple[Side, str], ...] = (("champion", champion), ("challenger", challenger))
    return [
        Answer(case, name, side, seed, "so", () if letter == "g" else ("wrong",))
        for side, drawn in sides
        for seed, letter in enumerate(drawn)
    ]


def test_a_case_is_one_gain_or_one_loss_however_often_it_was_drawn() -> None:
    answers = [
        *rows("facts", "1", "gg", "bb"),
        *rows("facts", "2", "gb", "gb"),
        *rows("facts", "3", "bb", "gb"),
        *rows("style", "4", "gg", "gb"),
    ]
    facts, style = compare(answers, 0.02)
    assert (facts.name, facts.cases, facts.losses, facts.gains) == ("facts", 3, 1, 1)
    assert facts.champion == pytest.approx(0.5)
    assert facts.challenger == pytest.approx(2 / 6)
    assert (style.losses, style.gains, style.difference) == (1, 0, -0.5)
    assert facts.low <= facts.difference <= facts.high
    mean, p = pooled(answers, 0.02)
    assert mean == pytest.approx((-1 / 6 - 1 / 2) / 2)
    assert p > 0.5


def test_a_reply_without_its_counterpart_is_an_error() -> None:
    with pytest.raises(EvidenceError, match="case 1"):
        compare(rows("facts", "1", "gg", "g"), 0.02)


def test_actions_are_counted_apart() -> None:
    answers = [
        Answer("1", "style", "challenger", 0, "x", ("malformed action: oh", "too long")),
        Answer("2", "style", "challenger", 0, "x", ("action dig without being asked",)),
        Answer("3", "style", "challenger", 0, "x", ("shows the machinery",)),
        Answer("4", "style", "challenger", 0, "x"),
    ]
    assert actions(answers, "challenger").malformed == 0.5
    assert actions(answers, "challenger").unasked == 0.25
    assert actions(answers, "champion").malformed == 0
