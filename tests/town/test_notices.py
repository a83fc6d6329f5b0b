"""The words that an admin reads in the game server's log."""

from __future__ import annotations

from agent_runtime.bridge.parts import NpcRecord, Position
from agent_runtime.town.notices import about_journal, about_personas
from tests.support.town import MIRA


def npc(name: str, persona: str) -> NpcRecord:
    return NpcRecord("01J0000000000000000000M1RA", name, persona, Position(0, 0, 0))


def test_a_persona_that_there_is_not_is_told_once_for_all_its_npcs() -> None:
    npcs = [npc("Mira", "mira"), *(npc(name, "mina") for name in ("Ada", "Bea", "Cleo", "Dora", "Eva"))]
    (notice,) = about_personas(npcs, {"mira": MIRA, "brom": MIRA}, "brom")
    assert "no persona 'mina': 'brom' speaks for Ada, Bea, Cleo and 2 more" in notice.text
    assert "Write mina.toml" in notice.text
    assert notice.text.endswith("one of: brom, mira")


def test_the_mod_shows_all_of_it() -> None:
    """It cuts what is longer than 500 characters."""
    many = {f"persona_{number}": MIRA for number in range(14)}
    (notice,) = about_personas([npc("N" * 40, "p" * 40)], many, "persona_0")
    assert len(notice.text) <= 500
    assert len(about_journal("x" * 300).text) <= 500
