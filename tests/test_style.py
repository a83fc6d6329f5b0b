"""House habits that a machine can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_LINES = 300


def sources(*patterns: str) -> Iterator[Path]:
    for folder in (
        "agent_runtime",
        "learner",
        "exporters",
        "demo",
        "benchmarks",
        "tests",
        "luanti_bridge_mod",
    ):
        for pattern in patterns:
            yield from sorted((ROOT / folder).rglob(pattern))


def test_no_file_asks_to_be_two() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources("*.py", "*.lua")
        if not {"tests", "spec"} & set(path.parts)
        and (count := path.read_text(encoding="utf-8").count("\n")) > MOST_LINES
    }
    assert not long


def test_every_module_says_what_comes_in_and_what_goes_out() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources("*.py")
        if path.relative_to(ROOT).parts[0] != "tests" and not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert not silent


def test_the_mod_speaks_of_core() -> None:
    """`minetest` is the old name of the engine's table; 5.6 already knows both."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sources("*.lua")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\bminetest[.\[]", re.sub(r"--.*", "", line)) and "core = " not in line
    ]
    assert not wrong
