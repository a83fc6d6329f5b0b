"""A result file comes in; its table in Markdown goes out, into the page that quotes it.

`python -m benchmarks.markdown engine docs/performance.md` puts it between the page's two marks,
`<!-- engine -->` and `<!-- end of engine -->`; without a page it is printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.figures import RESULTS, Figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def table(results: Path) -> str:
    """What was measured, when, on what, and whether it is good enough."""
    content = json.loads(results.read_text(encoding="utf-8"))
    machine = content["machine"]
    lines = [
        f"Measured on {content['date']} with `{content['command']}`: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}.",
        "",
    ]
    dated = any("date" in entry for entry in content["figures"].values())
    lines += [
        "| figure | value | unit | goal | reached | n |" + " measured |" * dated,
        "|---|---:|---|---|---|---:|" + "---|" * dated,
    ]
    for name, entry in content["figures"].items():
        figure = Figure(name, entry["value"], entry["unit"], entry["n"], entry.get("goal", ""))
        reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
        goal = figure.goal.replace("<=", "≤ ").replace(">=", "≥ ")
        when = f" {entry.get('date', content['date'])} |" if dated else ""
        lines.append(
            f"| `{name}` | {figure.value:,.4g} | {figure.unit} | {goal} | {reached} | {figure.n} |{when}"
        )
    return "\n".join(lines)


def put(results: Path, page: Path) -> None:
    """Replace what stands between the marks of these results. Raises `ValueError` without marks."""
    between(page, results.stem, table(results))


def between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the page's two marks of that name. Raises `ValueError` without marks."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not (begin and end):
        raise ValueError(f"{page}: has no marks for {name}")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    chosen = RESULTS / f"{sys.argv[1]}.json"
    if len(sys.argv) > 2:
        put(chosen, Path(sys.argv[2]))
    else:
        print(table(chosen))
