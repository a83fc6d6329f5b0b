"""docs/faults.md names tests that exist and run, and no line of it is without one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "faults.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NOT_RUN = ("skip", "xfail", "slow")


@cache
def functions_of(path: str) -> dict[str, str]:
    """The test functions of a file, each with what decorates it."""
    if not (ROOT / path).exists():
        return {}
    return {
        node.name: " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.parse((ROOT / path).read_bytes()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def lines() -> list[str]:
    """The tables' lines, heads left out."""
    found = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [line for line in found if not line.endswith("| shown by |")]


def test_every_line_names_its_tests() -> None:
    assert len(lines()) > 30
    assert not [line for line in lines() if line.count("|") != 4 or not NAMED.search(line.split("|")[3])]


def test_every_named_test_exists_and_is_run() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert not [f"{path}::{name}" for path, name in named if name not in functions_of(path)]
    assert not [
        f"{path}::{name}"
        for path, name in named
        if any(f"mark.{word}" in functions_of(path)[name].partition("param")[0] for word in NOT_RUN)
    ]
    assert PAGE.read_text(encoding="utf-8").count("::test_") == len(named), "one of them is misspelled"
