from pathlib import Path

import pytest

from agent_runtime.errors import PersonaError
from agent_runtime.npc.persona import load_persona, load_personas

GOOD = 'name = "Mira"\nrole = "the baker"\nvoice = "warm"\nabout = "Bakes."\n'


def test_a_file_gives_a_persona_named_after_it(tmp_path: Path) -> None:
    (tmp_path / "mira.toml").write_text(GOOD)
    persona = load_persona(tmp_path / "mira.toml")
    assert (persona.id, persona.name) == ("mira", "Mira")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name = 3", "name"),
        (GOOD + "colour = 'red'", "colour"),
        (GOOD + "capabilities = ['fly']", "fly"),
        (GOOD.replace("Bakes.", "two\\nlines"), "about"),
        (GOOD + "[sampling]\ntemperature = 9", "temperature"),
        (GOOD + "[sampling]\nmax_sentences = -1", "max_sentences"),
        (GOOD + "adapter = ''", "adapter"),
        (GOOD + "adapter = 3", "adapter"),
        (GOOD + "[canned]\nlate = ['']", "canned.late"),
        (GOOD + "[canned]\nslow_down = []", "canned.slow_down"),
        ("name = ", "mira.toml"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str, names: str) -> None:
    path = tmp_path / "mira.toml"
    path.write_text(text)
    with pytest.raises(PersonaError, match=names):
        load_persona(path)


def test_an_admins_file_replaces_the_shipped_one(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    for folder, name in ((shipped, "Mira"), (own, "Mirabelle")):
        folder.mkdir()
        (folder / "mira.toml").write_text(GOOD.replace("Mira", name))
    assert load_personas(shipped, own)["mira"].name == "Mirabelle"


def test_an_adapter_is_looked_for_beside_the_file_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mira.toml"
    path.write_text(GOOD + 'adapter = "adapters/mira.gguf"')
    assert load_persona(path).adapter == tmp_path / "adapters" / "mira.gguf"
    path.write_text(GOOD + 'adapter = "/models/mira.gguf"')
    assert load_persona(path).adapter == Path("/models/mira.gguf")
    path.write_text(GOOD)
    assert load_persona(path).adapter is None


@pytest.mark.parametrize("name", ["Baker", "the baker", "a" * 41, "bäcker"])
def test_a_file_whose_name_no_game_server_takes_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(GOOD)
    with pytest.raises(PersonaError, match="name the file with"):
        load_persona(path)
