"""`python -m learner.base.evaluate MODEL.gguf`: a GGUF and the cases of `data/eval/` come in; scores go out
as a table and, with `--out`, as JSON. The replies come from the serving engine, greedily."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from math import inf
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from agent_runtime.engine.interface import Chunk, Engine, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import PromptTooLong
from agent_runtime.npc.grammar import action_grammar
from agent_runtime.npc.persona import Sampling, load_personas
from agent_runtime.npc.prompt import render
from learner.base.cases import KNOWN, Case, read_cases
from learner.base.checks import faults, heard

DATA = Path(__file__).resolve().parents[2] / "data"
CASES = DATA / "eval"
PERSONAS = DATA / "personas"
DISTINCT_LINES = 20
FORM = {
    "no machinery shown": "machinery",
    "no repetition": "repeats itself",
    "not too long": "too long",
    "no fact that is not there": "not there",
}
"""What is measured over all replies: the score's name, and words of the fault."""
UNASKED = "without being asked"
"""Words of the fault of an action that nobody asked for."""
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
GREEDY = Sampling(temperature=0.0)


async def ask(engine: Engine, case: Case, sampling: Sampling = GREEDY) -> str:
    """The reply as the model wrote it, references and actions included. As in serving, a talk too long
    for the context window is told with less of its history."""
    for skipped in range(len(case.history) + 1):
        messages = render(case.persona, case.history[skipped:], case.facts, case.player, case.line)
        words = []
        try:
            request = Request(messages, sampling, deadline=inf, grammar=action_grammar())
            async with aclosing(engine.generate(request)) as stream:
                async for piece in stream:
                    if isinstance(piece, Chunk):
                        words.append(piece.text)
            return "".join(words)
        except PromptTooLong:
            continue
    return ""


async def _replies(asked: Sequence[Awaitable[str]], at_once: int) -> AsyncGenerator[tuple[int, str], None]:
    """The replies with their numbers as they come, so many in the making at a time."""
    free = asyncio.Semaphore(at_once)

    async def one(number: int, reply: Awaitable[str]) -> tuple[int, str]:
        async with free:
            return number, await reply

    for done in asyncio.as_completed([one(number, reply) for number, reply in enumerate(asked)]):
        yield await done


async def evaluate(
    engine: Engine, cases: Sequence[Case], told: Callable[[], None] = lambda: None, at_once: int = 1
) -> list[dict[str, Any]]:
    """One row per case, in their order: the reply as read, and its faults. `told` is called for each."""
    replies = [""] * len(cases)
    async for number, reply in _replies([ask(engine, case) for case in cases], at_once):
        replies[number] = reply
        told()
    return [
        {
            "id": case.id,
            "slice": case.slice,
            "quiet": bool(case.check.get("no_action")),
            "line": case.line,
            "raw": raw,
            "reply": heard(raw, case.facts),
            "faults": faults(case.check, raw, case.facts),
        }
        for case, raw in zip(cases, replies, strict=True)
    ]


async def distinct(engine: Engine, cases: Sequence[Case], draws: int = 5) -> float:
    """The share of different replies when the same line is asked again, at the shipped personas' sampling."""
    seeds, sampling = range(1, draws + 1), shipped_sampling()
    asked = [
        ask(engine, case, msgspec.structs.replace(sampling, seed=seed)) for case in cases for seed in seeds
    ]
    replies: list[set[str]] = [set() for _ in cases]
    async for number, reply in _replies(asked, 1):
        replies[number // draws].add(reply)
    return sum(len(found) for found in replies) / (draws * len(cases))


def shipped_sampling() -> Sampling:
    """How the shipped personas draw their words; they all do it alike."""
    return next(iter(load_personas(PERSONAS).values())).sampling


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Cases, good ones and the share of good ones by slice; beyond these, what was measured over all replies:
    actions nobody asked for, among cases that ask for none, and the form."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["slice"] for row in rows):
        part = [row for row in rows if row["slice"] == name]
        good = sum(not row["faults"] for row in part)
        found[name] = {"cases": len(part), "good": good, "share": round(good / len(part), 4)}
    _add(found, "unasked actions", [row for row in rows if row["quiet"]], UNASKED)
    for name, fault in FORM.items():
        _add(found, name, rows, fault)
    return found


def _add(found: dict[str, dict[str, float]], name: str, rows: Sequence[dict[str, Any]], fault: str) -> None:
    if rows:
        good = sum(not any(fault in said for said in row["faults"]) for row in rows)
        found[name] = {"cases": len(rows), "good": good, "share": round(good / len(rows), 4)}


def choose_cases(folder: Path, limit: int, slices: Sequence[str] = ()) -> list[Case]:
    """The cases of all files, at most `limit` per slice; with `slices`, of these only."""
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for path in sorted(folder.glob("*.jsonl")):
        for case in read_cases(path):
            wanted = not slices or case.slice.removesuffix(KNOWN) in slices
            if wanted and len(found[case.slice]) < limit:
                found[case.slice].append(case)
    return [case for name in sorted(found) for case in found[name]]


def report(
    model: Path,
    cases: Path = CASES,
    threads: int = 1,
    limit: int = 10_000,
    slices: Sequence[str] = (),
    at_once: int = 1,
) -> dict[str, Any]:
    """Ask every case, at most `limit` per slice: scores, the share of distinct replies, and the rows. With
    more than one at once a few near ties fall the other way; on one core it is slower, too."""
    asked = choose_cases(cases, limit, slices)
    if not asked:
        raise ValueError(f"no cases in {cases}" + (f" of the slices {', '.join(slices)}" if slices else ""))
    styled = [case for case in asked if case.slice == "style"][:DISTINCT_LINES]

    async def run() -> dict[str, Any]:
        engine = LlamaEngine(model, threads=threads, slots=at_once)
        await engine.start()
        try:
            with Progress(*COLUMNS) as bar:
                task = bar.add_task("asking", total=len(asked))
                rows = await evaluate(engine, asked, lambda: bar.advance(task), at_once)
            varied = await distinct(engine, styled) if styled else None
        finally:
            await engine.close()
        content: dict[str, Any] = {"model": model.name, "scores": summary(rows), "rows": rows}
        return content if varied is None else {**content, "distinct": round(varied, 4)}

    return asyncio.run(run())


def print_report(content: dict[str, Any], console: Console, show: bool = False) -> None:
    """The scores as a table; with `show`, also every reply that was not good."""
    table = Table("slice", "cases", "good", "share", title=content["model"])
    for name, row in content["scores"].items():
        table.add_row(name, f"{row['cases']:.0f}", f"{row['good']:.0f}", f"{row['share']:.1%}")
    console.print(table)
    if "distinct" in content:
        console.print(f"distinct replies to one line at the personas' sampling: {content['distinct']:.0%}")
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
    parser.add_argument("--at-once", type=int, default=1, help="replies in the making, for many cores")
    parser.add_argument("--limit", type=int, default=10_000, help="cases per slice")
    parser.add_argument("--slices", nargs="+", default=(), metavar="SLICE", help="only these")
    parser.add_argument("--show", action="store_true", help="print the replies with faults")
    arguments = parser.parse_args()
    content = report(
        arguments.model,
        arguments.cases,
        arguments.threads,
        arguments.limit,
        arguments.slices,
        arguments.at_once,
    )
    print_report(content, Console(), arguments.show)
    if arguments.out:
        write_report(content, arguments.out)


def write_report(content: dict[str, Any], path: Path) -> None:
    """Scores and replies as JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
