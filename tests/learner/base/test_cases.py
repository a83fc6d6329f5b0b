from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from learner.base.cases import KNOWN, SLICES, make_cases, read_cases, write_cases
from learner.base.grammar import load_tables

EVAL = Path(__file__).parents[3] / "data" / "eval"


def test_cases_are_the_same_on_every_call() -> None:
    assert make_cases(3) == make_cases(3)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_cases(tmp_path, 3)
    made = make_cases(3)
    for name in SLICES:
        read = read_cases(tmp_path / f"{name}.jsonl")
        assert [(case.id, case.line, case.facts) for case in read] == [
            (c.id, c.line, c.facts) for c in made[name]
        ]


def test_known_wordings_come_with_new_names(tmp_path: Path) -> None:
    write_cases(tmp_path, 4)
    known = read_cases(tmp_path / "known_wordings.jsonl")
    assert len(known) == len(SLICES)
    assert all(case.slice.endswith(KNOWN) for case in known)
    fresh = {case.line for name in SLICES for case in read_cases(tmp_path / f"{name}.jsonl")}
    assert not fresh & {case.line for case in known}


def test_a_broken_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 3}\n')
    with pytest.raises(msgspec.ValidationError):
        read_cases(path)


@pytest.mark.parametrize("name", SLICES)
def test_the_shipped_cases_are_many_and_checked(name: str) -> None:
    cases = read_cases(EVAL / f"{name}.jsonl")
    assert len(cases) >= 40
    assert len({case.id for case in cases}) == len(cases)
    assert all(case.check for case in cases)


def test_shipped_names_are_not_the_corpuss() -> None:
    names = load_tables("names")
    for name in SLICES:
        for case in read_cases(EVAL / f"{name}.jsonl"):
            assert case.persona.name not in names["npc"]["seen"]
            assert case.player not in names["player"]["seen"]
            places = [fact.subject for fact in case.facts if fact.source.startswith("place:")]
            assert not set(places) & set(names["place"]["seen"])


def test_handwritten_prompts_speak_with_the_shipped_personas() -> None:
    cases = read_cases(EVAL / "handwritten.jsonl")
    personas = {path.stem for path in (EVAL.parent / "personas").glob("*.toml")}
    assert len(cases) >= 40
    assert {case.persona.id for case in cases} == personas
