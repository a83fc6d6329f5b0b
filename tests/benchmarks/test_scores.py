"""The card's tables say what the evaluation said."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import scores
from learner.base.cases import SLICES

CONTENT = {
    "model": "toy.gguf",
    "scores": {
        "recipe": {"cases": 100, "good": 95, "share": 0.95},
        "recipe, known wording": {"cases": 40, "good": 39, "share": 0.975},
        "confusers": {"cases": 100, "good": 80, "share": 0.8},
        "fresh": {"cases": 44, "good": 22, "share": 0.5},
        "unasked actions": {"cases": 1500, "good": 1485, "share": 0.99},
        "no repetition": {"cases": 2036, "good": 2036, "share": 1.0},
    },
    "distinct": 0.84,
}


def test_each_slice_has_a_row_with_both_wordings() -> None:
    lines = scores.tables(CONTENT, "2026-11-20").splitlines()
    assert lines[0].startswith("`toy.gguf`, 2026-11-20")
    assert "| recipe | 95.0% of 100 | 97.5% of 40 |" in lines
    assert "| confusers | 80.0% of 100 |  |" in lines
    assert "| fresh | 50.0% of 44 |  |" in lines


def test_what_was_measured_over_all_replies_stands_apart() -> None:
    text = scores.tables(CONTENT, "2026-11-20").partition("| over all replies | good |")[2]
    assert "| no action unasked | 99.0% of 1,500 |" in text
    assert "| no repetition | 100.0% of 2,036 |" in text
    assert "at the personas' sampling | 84% |" in text


def test_the_command_puts_them_into_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, measured = tmp_path / "README.md", tmp_path / "scores.json"
    card.write_text("above\n<!-- scores -->\nold\n<!-- end of scores -->\nbelow\n")
    measured.write_text(json.dumps(CONTENT))
    monkeypatch.setattr(scores, "CARD", card)
    monkeypatch.setattr(sys, "argv", ["scores", str(measured)])
    scores.main()
    text = card.read_text()
    assert "old" not in text
    assert "| recipe | 95.0% of 100 | 97.5% of 40 |" in text
    assert text.startswith("above\n")
    assert text.endswith("below\n")


def test_the_shipped_card_has_all_slices_or_none_yet() -> None:
    quoted = scores.CARD.read_text().partition("<!-- scores -->\n")[2].partition("<!-- end of scores -->")
    assert quoted[1]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in quoted[0].splitlines()]
    assert not quoted[0].strip() or {*SLICES, *scores.TYPED, "no action unasked"} <= set(rows)
