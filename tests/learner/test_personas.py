"""The shipped personas: each in a voice of its own, with lines for every occasion."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.npc.persona import Canned, Persona, load_persona, load_personas
from learner.base.checks import voice_fits
from learner.base.grammar import voices
from learner.base.scene import USUAL

FOLDER = Path(__file__).parents[2] / "data" / "personas"
PERSONAS = sorted(FOLDER.glob("*.toml"))


@pytest.fixture(params=PERSONAS, ids=lambda path: path.stem)
def persona(request: pytest.FixtureRequest) -> Persona:
    return load_persona(request.param)


def test_every_voice_the_base_knows_is_spoken_by_somebody() -> None:
    found = load_personas(FOLDER)
    assert len(found) >= 14
    assert {persona.voice for persona in found.values()} == set(voices())


def test_the_id_is_the_name(persona: Persona) -> None:
    assert persona.id == persona.name.lower()


def test_nobody_is_at_a_loss_for_words(persona: Persona) -> None:
    for occasion in Canned.__struct_fields__:
        lines = getattr(persona.canned, occasion)
        assert len(set(lines)) >= 4, occasion


def test_canned_lines_sound_like_the_persona(persona: Persona) -> None:
    fits = voice_fits(
        " ".join(line for key in ("greeting", "busy", "late") for line in getattr(persona.canned, key))
    )
    assert persona.voice in sorted(fits, key=lambda name: -fits[name])[:2]


def test_everybody_can_do_what_the_mod_carries_out(persona: Persona) -> None:
    assert set(USUAL) <= set(persona.capabilities)
    assert persona.inventory
    assert all(":" in item and 0 < count < 100 for item, count in persona.inventory.items())


def test_everybody_has_a_nature_as_told_in_about(persona: Persona) -> None:
    for trait in (persona.fear, persona.love, persona.origin):
        assert trait
        assert trait in persona.about


def test_everybody_can_tell_something_about_the_town(persona: Persona) -> None:
    assert 3 <= len(persona.knows) <= 5
    for sentence in persona.knows.values():
        assert len(sentence) <= 120
        assert not sentence.endswith(".")
