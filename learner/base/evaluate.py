"""`python -m learner.base.evaluate MODEL.gguf`: a GGUF and the cases of `data/eval/` come in; scores go out
as a table and, with `--out`, as JSON. Runs llama.cpp greedily on prompts tokenised as in serving."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import llama_cpp
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent_runtime.engine.template import EMBEDDED_TEMPLATE, ChatTemplate
from agent_runtime.npc.prompt import render
from learner.base.cases import Case, read_cases
from learner.base.checks import faults, heard

MAX_TOKENS = 120
CASES = Path(__file__).resolve().parents[2] / "data" / "eval"


class Speaker:
    """A GGUF that answers one case at a time; the longest known prefix of the prompt is reused."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self.llama = llama_cpp.Llama(
            str(model),
            n_ctx=2048,
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
            logits_all=False,
        )
        source = self.llama.metadata.get("tokenizer.chat_template", EMBEDDED_TEMPLATE)
        self.template = ChatTemplate(source)
        self.end = self.llama.token_eos()

    def tokens(self, case: Case) -> list[int]:
        """The prompt's token ids, special tokens only where the template wrote them."""
        messages = render(case.persona, case.history, case.facts, case.player, case.line)
        ids: list[int] = []
        for piece in self.template.pieces(messages):
            ids.extend(self.llama.tokenize(piece.text.encode(), add_bos=False, special=piece.special))
        return ids

    def reply(self, case: Case, temperature: float = 0.0, seed: int = 0) -> str:
        """The reply as the model wrote it, references and actions included."""
        self.llama.set_seed(seed)
        spoken: list[int] = []
        for token in self.llama.generate(
            self.tokens(case), temp=temperature, top_k=0, top_p=0.95, min_p=0.05
        ):
            if token == self.end or len(spoken) >= MAX_TOKENS:
                break
            spoken.append(token)
        return bytes(self.llama.detokenize(spoken)).decode("utf-8", errors="replace")


def evaluate(speaker: Speaker, cases: Iterable[Case]) -> list[dict[str, Any]]:
    """One row per case: the reply as read, and its faults."""
    rows = []
    for case in cases:
        raw = speaker.reply(case)
        wrong = faults(case.check, raw, case.facts)
        rows.append(
            {
                "id": case.id,
                "slice": case.slice,
                "line": case.line,
                "raw": raw,
                "reply": heard(raw, case.facts),
                "faults": wrong,
            }
        )
    return rows


def distinct(speaker: Speaker, cases: Sequence[Case], draws: int = 5, temperature: float = 0.7) -> float:
    """The share of different replies when the same line is asked again, at the personas' temperature."""
    different = 0
    for case in cases:
        different += len({speaker.reply(case, temperature, seed) for seed in range(1, draws + 1)})
    return different / (draws * len(cases))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Cases, good ones and the share of good ones by slice; `action_seen` is the share of unasked actions."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(row["slice"] for row in rows):
        part = [row for row in rows if row["slice"] == name]
        good = sum(not row["faults"] for row in part)
        found[name] = {"cases": len(part), "good": good, "share": round(good / len(part), 4)}
    quiet = [row for row in rows if row["slice"] not in ("action", "handwritten")]
    acted = sum(any("without being asked" in fault for fault in row["faults"]) for row in quiet)
    if quiet:
        found["unasked actions"] = {
            "cases": len(quiet),
            "good": len(quiet) - acted,
            "share": round(1 - acted / len(quiet), 4),
        }
    return found


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
    console = Console()
    speaker = Speaker(arguments.model, arguments.threads)
    cases = [
        case
        for path in sorted(arguments.cases.glob("*.jsonl"))
        for case in read_cases(path)[: arguments.limit]
    ]
    began = time.monotonic()
    rows = evaluate(speaker, track(cases, "asking", console=console))
    scores = summary(rows)
    varied = distinct(speaker, [case for case in cases if case.slice == "style"][:20])
    table = Table("slice", "cases", "good", "share", title=arguments.model.name)
    for name, row in scores.items():
        table.add_row(name, f"{row['cases']:.0f}", f"{row['good']:.0f}", f"{row['share']:.1%}")
    console.print(table)
    console.print(f"different replies to one line: {varied:.0%}; {time.monotonic() - began:.0f} s")
    if arguments.show:
        for row in rows:
            if row["faults"]:
                console.print(f"{row['id']}: {row['line']!r} → {row['raw']!r}: {row['faults']}", markup=False)
    if arguments.out:
        report = {"model": arguments.model.name, "scores": scores, "distinct": round(varied, 4), "rows": rows}
        arguments.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
