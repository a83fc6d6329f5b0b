from __future__ import annotations

from pathlib import Path

import pytest

from learner.base.casefiles import EVAL
from learner.base.handwritten import DATA, render_cases

SCENE = """
[scene]
player = "alice"
time_of_day = 0.5
biome = "grassland"
surface = "default:dirt_with_grass"
held = ""
"""


@pytest.mark.parametrize("name", ["handwritten", "fresh"])
def test_lines_are_asked_of_every_shipped_persona(name: str) -> None:
    cases = render_cases(EVAL / f"{name}.toml")
    assert len(cases) >= 44
    assert {case.persona.id for case in cases} == {path.stem for path in (DATA / "personas").glob("*.toml")}
    assert all(len(case.check) > 1 for case in cases)


def test_what_must_be_quoted_is_the_value_that_the_runtime_tells(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        f'{SCENE}[[case]]\npersona = "mira"\nline = "how to make torches?"\nquotes = ["recipe:default:torch"]'
    )
    (case,) = render_cases(path)
    assert case.check["contains_any"] == ["1 coal lump and 1 stick (makes 4)"]


def test_a_line_that_does_not_bring_its_fact_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f'{SCENE}[[case]]\npersona = "mira"\nline = "hello"\nquotes = ["recipe:default:torch"]')
    with pytest.raises(ValueError, match="x-1: 'hello'"):
        render_cases(path)


def test_with_nothing_asked_the_voice_is(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f'{SCENE}[[case]]\npersona = "mira"\nline = "hello"')
    (case,) = render_cases(path)
    assert case.check == {"no_action": True, "voice": "warm"}
