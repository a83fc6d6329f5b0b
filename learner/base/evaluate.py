"""`python -m learner.base.evaluate MODEL.gguf`: a GGUF and the cases of `data/eval/` come in; scores go out
as a table and, with `--out`, as JSON. The replies come from the serving engine, greedily."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent_runtime.engine.interface import Chunk, Engine, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import PromptTooLong
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import render
from learner.base.cases import KNOWN, Case, read_cases
from learner.base.checks import faults, heard

CASES = Path(__file__).resolve().parents[2] / "data" / "eval"
GREEDY = Sampling(temperature=0.0)
ACTING = ("action", f"action{KNOWN}", "handwritten", "handwritten, fresh")


async def ask(engine: Engine, case: Case, sampling: Sampling = GREEDY) -> str:
    """The reply as the model wrote it, references and actions included. As in serving, a talk too long
    for the context window is told with less of its history."""
    for skipped in range(len(case.history) + 1):
        messages = render(case.persona, case.history[skipped:], case.facts, case.player, case.line)
        words = []
        try:
            async with aclosing(engine.generate(Request(messages, sampling, deadline=inf))) as stream:
                async for piece in stream:
                    if isinstance(piece, Chunk):
                        words.append(piece.text)
            return "".join(words)
        except PromptTooLong:
            continue
    return ""


async def evaluate(engine: Engine, cases: Iterable[Case]) -> list[dict[str, Any]]:
    """One row per case: the reply as read, and its faults."""
    rows = []
    for case in cases:
        raw = await ask(engine, case)
        rows.append(
            {
                "id": case.id,
                "slice": case.slice,
                "line": case.line,
                "raw": raw,
                "reply": heard(raw, case.facts),
                "faults": faults(case.check, raw, case.facts),
            }
        )
    return rows


async def distinct(engine: Engine, cases: Sequence[Case], draws: int = 5) -> float:
    """The share of different replies when the same line is asked again, at the personas' own sampling."""
    different = 0
    for case in cases:
        seeds = range(1, draws + 1)
        different += len({await ask(engine, case, Sampling(seed=seed)) for seed in seeds})
    return different / (draws * len(cases))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Cases, good ones and the share of good ones by slice; `action_seen` is the share of unasked actions."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["slice"] for row in rows):
        part = [row for row in rows if row["slice"] == name]
        good = sum(not row["faults"] for row in part)
        found[name] = {"cases": len(part), "good": good, "share": round(good / len(part), 4)}
    quiet = [row for row in rows if row["slice"] not in ACTING]
    acted = sum(any("without being asked" in fault for fault in row["faults"]) for row in quiet)
    if quiet:
        found["unasked actions"] = {
            "cases": len(quiet),
            "good": len(quiet) - acted,
            "share": round(1 - acted / len(quiet), 4),
        }
    return found


def report(model: Path, cases: Path = CASES, threads: int = 1, limit: int = 10_000) -> dict[str, Any]:
    """Ask every case, at most `limit` per file: scores, the share of distinct replies, and the rows."""
    asked = [case for path in sorted(cases.glob("*.jsonl")) for case in read_cases(path)[:limit]]

    async def run() -> dict[str, Any]:
        engine = LlamaEngine(model, threads=threads, slots=1)
        await engine.start()
        try:
            rows = await evaluate(engine, track(asked, "asking"))
            varied = await distinct(engine, [case for case in asked if case.slice == "style"][:20])
        finally:
            await engine.close()
        return {"model": model.name, "scores": summary(rows), "distinct": round(varied, 4), "rows": rows}

    return asyncio.run(run())


def print_report(content: dict[str, Any], console: Console, show: bool = False) -> None:
    """The scores as a table; with `show`, also every reply that was not good."""
    table = Table("slice", "cases", "good", "share", title=content["model"])
    for name, row in content["scores"].items():
        table.add_row(name, f"{row['cases']:.0f}", f"{row['good']:.0f}", f"{row['share']:.1%}")
    console.print(table)
    console.print(f"distinct replies to one line at the personas' temperature: {content['distinct']:.0%}")
    for row in content["rows"] if show else ():
        if row["faults"]:
            text = f"{row['id']}: {row['line']!r} → {row['raw']!r}: {'; '.join(row['faults'])}"
            console.print(text, markup=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m learner.base.evaluate", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--out", type=Path, help="write scores and replies as JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=int, default=10_000, help="cases per slice")
    parser.add_argument("--show", action="store_true", help="print the replies with faults")
    arguments = parser.parse_args()
    content = report(arguments.model, arguments.cases, arguments.threads, arguments.limit)
    print_report(content, Console(), arguments.show)
    if arguments.out:
        write_report(content, arguments.out)


def write_report(content: dict[str, Any], path: Path) -> None:
    """Scores and replies as JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
