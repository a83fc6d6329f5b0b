"""`python -m learner.base.counts`: the texts of the corpus come in; the counts of its data card go out, and
how often the runtime finds the fact that a line asks for. Nothing is written.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent_runtime.npc.persona import load_personas
from learner.base import asking, talking
from learner.base.corpus import Maker, add_history, as_served, samples
from learner.base.grammar import ENGLISH, GERMAN, load_tables, seen, texts, voices
from learner.base.scene import make_scene

PERSONAS = Path(__file__).resolve().parents[2] / "data" / "personas"
LINES = ("questions", "orders", "talk")
ASKED: dict[str, Maker] = {
    "recipe": asking.recipe,
    "uses": asking.uses,
    "where": asking.where,
    "town matters": asking.knows,
    "itself": talking.myself,
    "told before": talking.recall,
}


def patterns() -> dict[str, tuple[int, int]]:
    """Patterns of training and those held out, by file; voices count as one, and so does what is German."""
    found = {name: _counted(list(texts(name, ENGLISH).values())) for name in LINES}
    told = [lines for topic in load_tables("memory").values() for lines in (topic["say"], topic["ask"])]
    found["memory"] = _counted(told)
    found["replies"] = (sum(map(len, texts("replies", ENGLISH).values())), 0)
    found["voices"] = (sum(len(lines) for voice in voices().values() for lines in voice.values()), 0)
    found["German lines"] = _counted([lines for name in LINES for lines in texts(name, GERMAN).values()])
    frames = load_tables(f"{GERMAN}/voices").values()
    replies = [*texts("replies", GERMAN).values(), *(lines for frame in frames for lines in frame.values())]
    found["German replies"] = _counted(replies)
    return found


def _counted(lists: Sequence[list[str]]) -> tuple[int, int]:
    known = sum(len(seen(patterns)) for patterns in lists)
    return known, sum(map(len, lists)) - known


def names() -> dict[str, tuple[int, int]]:
    """Names and values of training and those held out, by list."""
    found = {}
    for file in ("names", "people", "town"):
        for key, lists in load_tables(file).items():
            if isinstance(lists, dict) and "seen" in lists:
                found[f"{file}: {key}"] = (len(lists["seen"]), len(lists["unseen"]))
    return found


def draws(count: int, seed: int = 1) -> dict[str, int]:
    """How many different lines, replies and pairs there are among so many turns of training."""
    turns = itertools.chain.from_iterable(sample.turns for sample in samples(seed))
    lines, replies, pairs = set(), set(), set()
    for turn in track(itertools.islice(turns, count), "drawing", total=count):
        lines.add(turn.line)
        replies.add(turn.reply)
        pairs.add((turn.line, turn.reply))
    return {"turns": count, "lines": len(lines), "replies": len(replies), "pairs": len(pairs)}


def found_by_the_runtime(count: int, new_wordings: bool) -> dict[str, float]:
    """The share of lines with a known answer for which the runtime's choice of facts holds it."""
    asked, served = Counter[str](), Counter[str]()
    for name, maker in ASKED.items():
        for number in range(count):
            scene = make_scene(random.Random(f"counts:{name}:{number}"), unseen=new_wordings)
            scene.new_wordings = new_wordings
            if name == "told before":
                add_history(scene, 2, shown=2, makers=((talking.tell, 1.0),))
            turn = maker(scene)
            if turn and "[[" in turn.reply:
                asked[name] += 1
                served[name] += as_served(scene, turn) is not None
    return {name: served[name] / asked[name] for name in asked}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m learner.base.counts", description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=400, help="lines of each kind that the runtime is given")
    arguments = parser.parse_args()
    console = Console()
    for title, content in (("patterns", patterns()), ("names and values", names())):
        table = Table(title, "training", "held out")
        for name, (known, held_out) in content.items():
            table.add_row(name, f"{known:,}", f"{held_out:,}")
        console.print(table)
    console.print(f"voices: {len(voices())}, shipped personas: {len(load_personas(PERSONAS))}")
    table = Table("asked for", "found, wordings of training", "found, held-out wordings")
    usual, new = (found_by_the_runtime(arguments.lines, unseen) for unseen in (False, True))
    for name in (name for name in usual if name in new):
        table.add_row(name, f"{usual[name]:.1%}", f"{new[name]:.1%}")
    console.print(table)
    for name, number in draws(arguments.draws).items():
        console.print(f"{name}: {number:,}")


if __name__ == "__main__":
    main()
