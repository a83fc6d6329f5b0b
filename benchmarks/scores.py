"""The base's scores come in, as `learner.base.evaluate --out` wrote them; their tables in Markdown go out,
into its card.

`python -m benchmarks.scores scores.json` puts them between the two marks of data/base/README.md,
`<!-- scores -->` and `<!-- end of scores -->`; with `--print` they are only printed.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.markdown import between
from learner.base.cases import KNOWN, SLICES
from learner.base.evaluate import FORM

CARD = Path(__file__).resolve().parents[1] / "data" / "base" / "README.md"
TYPED = ("handwritten", "fresh")
OVER_ALL = ("unasked actions", *FORM)


def tables(content: dict[str, Any], date: str) -> str:
    """Slices in both wordings, what was typed by hand, and what is measured over all replies."""
    scores = content["scores"]
    lines = [
        f"`{content['model']}`, {date}, greedy, through the serving engine, on what the player reads.",
        "",
        "| slice | new names and wordings | new names, known wordings |",
        "|---|---:|---:|",
        *(
            f"| {name} | {_cell(scores.get(name))} | {_cell(scores.get(name + KNOWN))} |"
            for name in (*SLICES, *TYPED)
            if name in scores
        ),
        "",
        "| over all replies | good |",
        "|---|---:|",
        *(f"| {_told(name)} | {_cell(scores[name])} |" for name in OVER_ALL if name in scores),
    ]
    if "distinct" in content:
        lines.append(
            f"| distinct replies to one line, at the personas' sampling | {content['distinct']:.0%} |"
        )
    return "\n".join(lines)


def _cell(row: dict[str, float] | None) -> str:
    return f"{row['share']:.1%} of {row['cases']:,.0f}" if row else ""


def _told(name: str) -> str:
    return "no action unasked" if name == "unasked actions" else name


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scores", description=__doc__)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--print", action="store_true", dest="shown", help="write no file")
    arguments = parser.parse_args()
    date = datetime.fromtimestamp(arguments.scores.stat().st_mtime, UTC).strftime("%Y-%m-%d")
    text = tables(json.loads(arguments.scores.read_text(encoding="utf-8")), date)
    if arguments.shown:
        print(text)
    else:
        between(CARD, "scores", text)


if __name__ == "__main__":
    main()
