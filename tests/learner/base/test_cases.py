from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent_runtime.npc.prompt import render
from learner.base.casefiles import PER_SLICE_KNOWN
from learner.base.cases import KNOWN, LONG, SLICES, Case, make_cases, read_cases, save_cases
from learner.base.grammar import GERMAN, load_tables
from learner.base.scene import USUAL

EVAL = Path(__file__).parents[3] / "data" / "eval"


def test_cases_are_the_same_on_every_call() -> None:
    assert make_cases(2) == make_cases(2)


def test_what_is_saved_is_read_again_with_the_same_prompt(tmp_path: Path) -> None:
    made = [case for cases in make_cases(2).values() for case in cases]
    save_cases(tmp_path / "x.jsonl", made)
    for case, read in zip(made, read_cases(tmp_path / "x.jsonl"), strict=True):
        assert (case.id, case.facts, case.check) == (read.id, read.facts, read.check)
        assert prompt(case) == prompt(read)


def prompt(case: Case) -> object:
    return render(case.persona, case.history, case.facts, case.player, case.line)


def test_known_wordings_come_with_new_names() -> None:
    known = make_cases(3, new_wordings=False)
    assert set(known) == set(SLICES) - {"confusers"}
    assert all(case.slice.endswith(KNOWN) for cases in known.values() for case in cases)
    lines = {case.line for cases in make_cases(3).values() for case in cases}
    assert not lines & {case.line for cases in known.values() for case in cases}


def test_confusers_have_more_of_the_kind_than_is_asked_for() -> None:
    for case in make_cases(30)["confusers"]:
        asked = [fact for fact in case.facts if fact.tag.startswith(("recipe", "where"))]
        assert len({fact.subject for fact in asked}) > 1
        assert case.check["excludes"]


def test_rare_actions_are_rare() -> None:
    names = {case.check["action"] for case in make_cases(40)["rare_action"]}
    assert len(names) > 8
    assert not names & set(USUAL)


def test_long_memory_is_asked_for_what_only_a_fact_still_tells() -> None:
    for case in make_cases(20)["long_memory"]:
        told = case.check["contains_any"][0]
        assert any(told in fact.value for fact in case.facts)
        assert len(case.history) < LONG
        assert not any(told in exchange.line for exchange in case.history)


def test_german_is_asked_and_to_be_answered_in_german() -> None:
    cases = make_cases(20)["german"]
    assert all(case.check["language"] == GERMAN for case in cases)
    assert {"action", "contains_any", "admits"} <= {key for case in cases for key in case.check}
    assert not any("voice" in case.check for case in cases)


def test_a_broken_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": 3}\n')
    with pytest.raises(msgspec.ValidationError):
        read_cases(path)


@pytest.mark.parametrize("name", SLICES)
def test_the_shipped_cases_are_many_and_checked(name: str) -> None:
    cases = read_cases(EVAL / f"{name}.jsonl")
    assert len(cases) >= 100
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


def test_known_wordings_are_shipped_for_every_slice_that_has_them() -> None:
    found = [case.slice.removesuffix(KNOWN) for case in read_cases(EVAL / "known_wordings.jsonl")]
    assert {name: found.count(name) for name in set(found)} == {
        name: PER_SLICE_KNOWN for name in SLICES if name != "confusers"
    }
