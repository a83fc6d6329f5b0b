"""The table that a page quotes says what the result file says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import RESULTS
from benchmarks.markdown import put, table

CONTENT = {
    "machine": {"cpu": "Z80", "cores": 2, "memory_gib": 0.1, "system": "CP/M", "python": "3.11"},
    "date": "2026-11-20",
    "command": "make bench-engine",
    "figures": {
        "fast_ms": {"value": 2.5, "unit": "ms", "goal": "<=3", "n": 5},
        "slow_vs": {"value": 0.5, "unit": "×", "goal": ">=0.95", "n": 5},
        "rate": {"value": 12345.0, "unit": "1/s", "n": 7},
    },
}


def test_every_figure_has_its_row_and_says_whether_its_goal_was_reached(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_text(json.dumps(CONTENT))
    lines = table(path).splitlines()
    assert "`make bench-engine`" in lines[0]
    assert "Z80, 2 cores" in lines[0]
    assert lines[-3:] == [
        "| `fast_ms` | 2.5 | ms | ≤ 3 | yes | 5 |",
        "| `slow_vs` | 0.5 | × | ≥ 0.95 | **no** | 5 |",
        "| `rate` | 1.234e+04 | 1/s |  |  | 7 |",
    ]


def test_figures_of_other_days_say_so(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    figures = CONTENT["figures"]
    assert isinstance(figures, dict)
    path.write_text(
        json.dumps({**CONTENT, "figures": {**figures, "rate": {**figures["rate"], "date": "2026-11-01"}}})
    )
    lines = table(path).splitlines()
    assert lines[2] == "| figure | value | unit | goal | reached | n | measured |"
    assert lines[-2:] == [
        "| `slow_vs` | 0.5 | × | ≥ 0.95 | **no** | 5 | 2026-11-20 |",
        "| `rate` | 1.234e+04 | 1/s |  |  | 7 | 2026-11-01 |",
    ]


def test_the_table_goes_between_the_marks_and_nothing_else_changes(tmp_path: Path) -> None:
    results, page = tmp_path / "engine.json", tmp_path / "page.md"
    results.write_text(json.dumps(CONTENT))
    page.write_text("before\n<!-- engine -->\nold\n<!-- end of engine -->\nafter\n")
    put(results, page)
    put(results, page)
    text = page.read_text()
    assert text.startswith("before\n<!-- engine -->\n")
    assert text.endswith("<!-- end of engine -->\nafter\n")
    assert text.count(table(results)) == 1
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        put(results, page)


@pytest.mark.parametrize("name", ["engine", "loop"])
def test_the_page_quotes_the_results_that_are_kept_and_no_others(name: str) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "performance.md").read_text()
    quoted = page.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- end of {name} -->")[0].strip()
    results = RESULTS / f"{name}.json"
    assert quoted == (table(results) if results.exists() else "")
