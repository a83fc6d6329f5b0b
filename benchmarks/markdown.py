"""A result file comes in; its table in Markdown goes out, to be pasted into the page that quotes it.

`python -m benchmarks.markdown engine` prints it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.figures import RESULTS, Figure


def table(results: Path) -> str:
    """What was measured, when, on what, and whether it is good enough."""
    content = json.loads(results.read_text(encoding="utf-8"))
    machine = content["machine"]
    lines = [
        f"Measured on {content['date']} with `{content['command']}`: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}.",
        "",
        "| figure | value | unit | goal | reached | n |",
        "|---|---:|---|---|---|---:|",
    ]
    for name, entry in content["figures"].items():
        figure = Figure(name, entry["value"], entry["unit"], entry["n"], entry.get("goal", ""))
        reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
        goal = figure.goal.replace("<=", "≤ ").replace(">=", "≥ ")
        lines.append(f"| `{name}` | {figure.value:,.4g} | {figure.unit} | {goal} | {reached} | {figure.n} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(RESULTS / f"{sys.argv[1]}.json"))
