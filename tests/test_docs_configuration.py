"""docs/configuration.md says of every setting what the code says, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

from agent_runtime import config
from agent_runtime.commands.settings import toml_value

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "configuration.md"
SETTING = re.compile(r"^(townsfolk\.\w+) \([^)]*\) \w+ ?(\S*)", re.M)


def row(key: config.Key) -> str:
    default = toml_value(key.default)
    return f"| `{key.name}` | `{default}` | {key.allowed} | {key.meaning} | `{key.variable}` |"


def test_every_setting_stands_in_its_section_with_its_default_and_meaning() -> None:
    sections = dict(re.findall(r"^## `\[(\w+)\]`\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S))
    missing = [row(key) for key in config.all_keys() if row(key) not in sections.get(key.section, "")]
    assert not missing, "put these rows into docs/configuration.md:\n" + "\n".join(missing)


def test_no_setting_is_documented_that_is_not_there() -> None:
    documented = set(re.findall(r"\| `(TOWNSFOLK_\w+)`", PAGE.read_text()))
    known = {key.variable for key in config.all_keys()}
    assert documented <= known


def test_the_mods_settings_are_those_of_its_settings_file() -> None:
    known = SETTING.findall((ROOT / "luanti_bridge_mod" / "settingtypes.txt").read_text())
    assert known
    documented = re.findall(r"^\| `(townsfolk\.\w+)` \| (?:`([^`]*)`|none) \|", PAGE.read_text(), re.M)
    assert documented == known
