"""What belongs to the mod beside its code: translations, settings, pictures and descriptions are complete."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from agent_runtime import __version__

MOD = Path(__file__).parent.parent.parent / "luanti_bridge_mod"
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(MOD.glob("src/**/*.lua"))}
_CALL = re.compile(r"""\bS\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


def phrases() -> set[str]:
    """Every phrase that the code asks the translator for."""
    return {
        (double or single).replace('\\"', '"')
        for text in SOURCES.values()
        for double, single in _CALL.findall(text)
    }


def entries(name: str) -> dict[str, str]:
    lines = (MOD / "locale" / name).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# textdomain: townsfolk"
    return dict(line.split("=", 1) for line in lines[1:])


def test_the_mod_and_the_runtime_are_of_one_release() -> None:
    """Otherwise every game server is told to have its mod replaced, by the same one."""
    init = (MOD / "init.lua").read_text(encoding="utf-8")
    assert f'VERSION = "{__version__}"' in init


@pytest.mark.parametrize("name", ["template.txt", "townsfolk.de.tr"])
def test_every_phrase_is_in_the_translations_and_no_other(name: str) -> None:
    assert phrases() == set(entries(name))


def test_translations_keep_the_places_for_names() -> None:
    for phrase, translated in entries("townsfolk.de.tr").items():
        assert translated
        assert sorted(re.findall(r"@\d", phrase)) == sorted(re.findall(r"@\d", translated)), phrase


def test_every_setting_is_described_and_used() -> None:
    described = set(re.findall(r"^townsfolk\.(\w+) ", (MOD / "settingtypes.txt").read_text(), re.MULTILINE))
    text = SOURCES[MOD / "src" / "settings.lua"]
    used = set(re.findall(r'"townsfolk\.(\w+)"', text)) | set(re.findall(r'number\("(\w+)"', text))
    assert described == used


def test_defaults_are_the_same_in_code_and_description() -> None:
    described = dict(
        re.findall(
            r"^townsfolk\.(\w+) \([^)]*\) (?:int|float) (\S+)", (MOD / "settingtypes.txt").read_text(), re.M
        )
    )
    text = SOURCES[MOD / "src" / "settings.lua"]
    assert described == dict(re.findall(r'number\("(\w+)", ([\d.]+),', text))


def test_what_is_learned_from_players_is_declared() -> None:
    card = json.loads((MOD / ".cdb.json").read_text(encoding="utf-8"))
    for text in (card["long_description"], (MOD / "README.md").read_text(), (MOD / "mod.conf").read_text()):
        assert "logged" in text
        assert "train" in text
    assert card["ai_disclosure"]


def pixels(path: Path) -> bytes:
    """What a file shows: compressors differ from machine to machine."""
    data = path.read_bytes()
    if path.suffix != ".png":
        return data
    length = int.from_bytes(data[33:37], "big")
    assert data[37:41] == b"IDAT"
    return data[16:29] + zlib.decompress(data[41 : 41 + length])


def test_the_pictures_are_what_the_script_draws(tmp_path: Path) -> None:
    (tmp_path / "textures").mkdir()
    script = tmp_path / "textures" / "draw.py"
    script.write_bytes((MOD / "textures" / "draw.py").read_bytes())
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    drawn = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*") if path != script}
    assert len(drawn) == 9
    for path in drawn:
        assert (MOD / path).read_bytes() == (tmp_path / path).read_bytes(), (
            f"run: python {path.parent}/draw.py"
        )


def test_only_one_file_sees_the_insecure_environment() -> None:
    text = (MOD / "init.lua").read_text(encoding="utf-8")
    assert text.count("request_insecure_environment") == 1
    for path, source in SOURCES.items():
        code = re.sub(r"--.*", "", source)
        assert "request_insecure_environment" not in code, path
        assert not re.search(r"\b(?:os\.execute|io\.popen)\b", code), path
