from __future__ import annotations

import subprocess
import sys

from learner.base.counts import draws, found_by_the_runtime, names, patterns
from learner.base.grammar import load, unseen


def test_patterns_are_counted_apart_from_those_held_out() -> None:
    known, held_out = patterns()["questions"]
    assert held_out == sum(len(unseen(lines)) for lines in load("questions").values())
    assert known + held_out == sum(map(len, load("questions").values()))
    assert patterns()["German lines"][0] > 500


def test_names_are_held_out_in_every_list() -> None:
    assert all(known > held_out > 0 for known, held_out in names().values())


def test_nearly_every_line_drawn_is_a_new_one() -> None:
    counted = draws(600)
    assert counted["lines"] > 550
    assert counted["pairs"] >= counted["lines"]


def test_the_runtime_finds_what_is_asked_for() -> None:
    for held_out in (False, True):
        assert min(found_by_the_runtime(100, held_out).values()) > 0.9


def test_the_command_prints_the_card() -> None:
    command = [sys.executable, "-m", "learner.base.counts", "--draws", "20", "--lines", "3"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "questions" in said
    assert "turns: 20" in said
