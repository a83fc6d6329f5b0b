"""The engine beside its peers: same GGUF, same prompts, same sampling, one run, a process for each.

`python -m benchmarks.engine` prints the figures, writes results/engine.json and docs/images/engine.png, and
puts the table into docs/performance.md, which says what each figure means. `--server URL` puts an
OpenAI-compatible server beside them that serves the same file (`--files` prints the files); `--only` runs
parts.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from agent_runtime.engine.threads import cores
from benchmarks import engine_figures, markdown, models, plot
from benchmarks.bandwidth import read_gb_s
from benchmarks.engine_figures import Samples
from benchmarks.figures import earlier, machine, report, show
from benchmarks.peers.process import Peer, busy_core

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "build" / "bench-engine.json"
SLOTS = 50
CHANGING = 32
"""Slots of the engine whose version changes: sixteen talk to either."""
TOKENS = {
    "embedded": {1: 200, 4: 100, 10: 60, 16: 60, 50: 60},
    "0p5b": {1: 24, 4: 16, 16: 16, 50: 8},
}
"""Tokens of each reply, by model and by how many talk. Fifty with the larger model are asked of ours only."""
TALKING = {"embedded": 200, "0p5b": 24}
"""Tokens of the replies of those who talk while somebody arrives or a version changes."""
ARRIVING = {"embedded": (4, 16, 50), "0p5b": (4, 16)}
"""How many come at the same moment; fifty with the larger model would take the whole run's time."""
HELD = {"embedded": 50, "0p5b": 4}
LONG = 1024
"""How many long talks are held in memory, and their tokens. One of the larger model takes 92 MB."""
REQUESTS = 10_000
WHOLE = 5
"""Rounds of a run that is written down."""

console = Console()


@dataclass
class Kept:
    """What a run has measured so far, in a file, so that what cuts it off costs one part and not all."""

    arguments: str
    machine: dict[str, Any]
    parts: list[str] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: str) -> Kept:
        """The last run's. Raises `SystemExit` when there is none."""
        if not KEPT.exists():
            raise SystemExit(f"{KEPT} is not there: no run to go on with")
        return cls(**{**json.loads(KEPT.read_text(encoding="utf-8")), "arguments": arguments})

    def note(self, part: str, samples: Samples) -> None:
        """One more part is done."""
        self.parts.append(part)
        self.rows = samples.rows()
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(asdict(self)), encoding="utf-8")


class Benchmark:
    """The parts of one run; each adds to `samples`."""

    def __init__(
        self,
        rounds: int,
        threads: int,
        servers: dict[str, str],
        requests: int,
        quick: bool = False,
        model: str = "",
    ) -> None:
        self.samples = Samples()
        self._rounds = rounds
        self._threads = threads
        self._servers = servers
        self._requests = requests
        self._tokens, self._talking, self._long = TOKENS, TALKING, LONG
        if quick:
            self._tokens = {"embedded": dict.fromkeys(TOKENS["embedded"], 4)}
            self._talking, self._long = {"embedded": 40}, 512
        makers = {"embedded": models.embedded, "0p5b": models.half_billion}
        wanted = [model] if model else ["embedded"] if quick else list(makers)
        self._files = {name: makers[name]() for name in wanted}

    @property
    def parts(self) -> dict[str, Callable[[], None]]:
        """By the names that `--only` takes."""
        return {
            "bandwidth": self.bandwidth,
            **{model: partial(self.speed, model) for model in self._files},
            "adapters": self.adapters,
            "busy": self.busy,
            **({"loop": self.loop} if "embedded" in self._files else {}),
            "isolation": self.isolation,
            "memory": self.memory,
        }

    def bandwidth(self) -> None:
        """What reading the weights allows."""
        for model, path in self._files.items():
            size = path.stat().st_size
            for _ in self._each_round(f"bandwidth {model}"):
                rate = read_gb_s(size, self._threads)
                self.samples.add("gb_s", "memory", model, rate)
                self.samples.add("decode_1", "memory", model, rate * 1e9 / size)

    def speed(self, model: str) -> None:
        """First tokens and tokens a second, each peer in turn."""
        file, threads = str(self._files[model]), str(self._threads)
        with ExitStack() as stack:
            ours = stack.enter_context(Peer("ours", file, threads, str(SLOTS)))
            peers = {"ours": ours, "raw": stack.enter_context(Peer("raw", file, threads, str(SLOTS)))}
            if model in self._servers:
                peers["server"] = stack.enter_context(Peer("server", self._servers[model], str(SLOTS)))
            peers["high_level"] = stack.enter_context(Peer("high_level", file, threads))
            for _ in self._each_round(f"{model}: {', '.join(peers)}"):
                for name, peer in peers.items():
                    self._speed_round(model, name, peer)

    def _speed_round(self, model: str, name: str, peer: Peer) -> None:
        def add(measure: str, *values: float) -> None:
            self.samples.add(measure, name, model, *values)

        add("ttft_cold_ms", peer.do("cold"))
        add("ttft_cached_ms", *(peer.do("cached") for _ in range(4)))
        for count, tokens in self._tokens[model].items():
            # One talk after the other is all that the high-level class does; one measure of it is enough.
            alone = name == "high_level" and count > 1 and (model != "embedded" or count != 16)
            many = count < SLOTS or name == "ours" or (name == "server" and model == "embedded")
            if not alone and many:
                add(f"decode_{count}", peer.do("decode", count=count, tokens=tokens))
        for count in ARRIVING[model] if name in ("ours", "server") else ():
            add(f"ttft_ms_{count}", *peer.do("arrivals", count=count))
        if name == "high_level" and model == "embedded":
            add("ttft_ms_16", *peer.do("arrivals", count=16))
        if name in ("ours", "server"):
            add("newcomer_ms", peer.do("newcomer", count=15, tokens=self._talking[model]))

    def adapters(self) -> None:
        """Loading versions, changing them under way, and what an adapter costs."""
        for model, path in self._files.items():
            adapters = [str(models.adapter(path, seed)) for seed in (1, 2, 3)]
            arguments = (str(path), str(self._threads), str(CHANGING), *adapters)
            with Peer("ours", *arguments) as ours:

                def add(measure: str, value: float, model: str = model) -> None:
                    self.samples.add(measure, "ours", model, value)

                for measure, lane in (
                    ("adapter_rss_mb", {"key": "plain", "number": 0}),
                    ("champion_rss_mb", {"key": "champion", "number": 1, "merged": True}),
                ):
                    before = ours.do("resident")
                    ours.do("load", **lane)
                    add(measure, ours.do("resident") - before)
                for _ in self._each_round(f"adapters {model}"):
                    add("adapter_load_ms", ours.do("load", key="again", number=2))
                    ours.do("unload", key="again")
                    tokens = self._talking[model]
                    swap = ours.do("swap", count=16, tokens=tokens, number=2, old="champion")
                    add("swap_gap_ms", swap["gap_ms"])
                    add("swap_quiet_ms", swap["quiet_ms"])
                    add("swap_dropped", swap["dropped"])
                    add("loop_delay_swap_p99_ms", swap["late_p99_ms"])
                    add("loop_delay_swap_max_ms", swap["late_max_ms"])
                    for count in (1, 16):
                        tokens = self._tokens[model][count]
                        for name in ("", "plain", "champion"):
                            rate = ours.do("decode", count=count, tokens=tokens, lane=name)
                            add(f"decode_{count}_{name or 'base'}", rate)

    def busy(self) -> None:
        """The same with a neighbour that takes a whole core, as a game server does."""
        for model, path in self._files.items():
            with Peer("ours", str(path), str(self._threads), str(SLOTS)) as ours:
                for _ in self._each_round(f"a busy core, {model}"):
                    for name in ("quiet", "busy"):
                        with busy_core(name == "busy"):
                            rate = ours.do("decode", count=16, tokens=self._tokens[model][16])
                        self.samples.add(f"decode_16_{name}", "ours", model, rate)

    def loop(self) -> None:
        """How late the event loop is under full load."""
        with Peer("ours", str(self._files["embedded"]), str(self._threads), str(SLOTS)) as ours:
            for _ in self._each_round("event loop"):
                median, late, worst = ours.do("delays", count=SLOTS, tokens=self._talking["embedded"])
                self.samples.add("loop_delay_p50_ms", "ours", "embedded", median)
                self.samples.add("loop_delay_p99_ms", "ours", "embedded", late)
                self.samples.add("loop_delay_max_ms", "ours", "embedded", worst)

    def isolation(self) -> None:
        """What a process of its own costs the engine."""
        for model, path in self._files.items():
            arguments = (str(path), str(self._threads), str(SLOTS))
            with Peer("ours", *arguments) as here, Peer("ours", *arguments, "isolated") as apart:
                for _ in self._each_round(f"a process of its own, {model}"):
                    for name, peer in (("here", here), ("apart", apart)):
                        firsts = [peer.do("cached") for _ in range(4)]
                        self.samples.add("ttft_cached_ms", name, model, median(firsts))
                        for count in (1, 16):
                            rate = peer.do("decode", count=count, tokens=self._tokens[model][count])
                            self.samples.add(f"decode_{count}", name, model, rate)

    def memory(self) -> None:
        """What long talks take that the engine keeps from turn to turn, and whether it stays flat; once."""
        for model, path in self._files.items():
            with Peer("ours", str(path), str(self._threads), str(SLOTS)) as ours:
                console.print(f"memory {model} …")
                count = HELD[model]
                mb, held = ours.do("hold", count=count, tokens=self._long)
                self.samples.add(f"rss_mb_{count}_talks", "ours", model, mb)
                self.samples.add(f"held_of_{count}_talks", "ours", model, held)
                if model == "embedded":
                    grown = ours.do("many", requests=self._requests, at_once=16)
                    self.samples.add(f"rss_growth_mb_{self._requests}_requests", "ours", model, grown)

    def _each_round(self, what: str) -> Iterator[int]:
        for number in range(self._rounds):
            console.print(f"{what}, round {number + 1} of {self._rounds} …")
            yield number


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--server", metavar="URL", help="a server of the embedded file, up to and with /v1")
    parser.add_argument("--server-0p5b", metavar="URL", help="a server of the 0.5B file")
    parser.add_argument("--only", nargs="+", metavar="PART", help="embedded, 0p5b, adapters, busy, …")
    parser.add_argument(
        "--model", choices=list(TOKENS), default="", help="only this one; others' figures stay"
    )
    parser.add_argument(
        "--rounds", type=int, default=WHOLE, help="measurements of each kind; fewer than 5 are only shown"
    )
    parser.add_argument("--threads", type=int, default=max(1, cores() - 1), help="of every peer (cores − 1)")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="for flat memory (10,000)")
    parser.add_argument("--quick", action="store_true", help="few tokens, the embedded base: to see it run")
    parser.add_argument("--go-on", action="store_true", help="take over the parts of a run that was cut off")
    parser.add_argument("--files", action="store_true", help="print the models' files and end")
    options = parser.parse_args()
    servers = {"embedded": options.server, "0p5b": options.server_0p5b}
    given = {model: url for model, url in servers.items() if url}
    if options.files:
        print(models.embedded(), models.half_billion(), sep="\n")
        return
    benchmark = Benchmark(
        options.rounds, options.threads, given, options.requests, options.quick, options.model
    )
    unknown = set(options.only or ()) - set(benchmark.parts)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(benchmark.parts)}")
    kept = Kept.read(shlex.join(sys.argv[1:])) if options.go_on else Kept(shlex.join(sys.argv[1:]), machine())
    for row in kept.rows:
        benchmark.samples.add(*row[:3], *row[3])
    for name, part in benchmark.parts.items():
        if name not in kept.parts and (not options.only or name in options.only):
            part()
            kept.note(name, benchmark.samples)
    before = kept.machine
    figures = engine_figures.figures(benchmark.samples)
    if options.only or options.quick or options.rounds < WHOLE:
        show("engine, in part", figures, before)
        return
    command = shlex.join(["python", "-m", "benchmarks.engine", *sys.argv[1:]])
    others = earlier("engine", figures) if options.model else []
    path = report("engine", command, [*figures, *others], before)
    markdown.put(path, markdown.PAGE)
    drawn = plot.draw(path)
    console.print(
        f"written to {', '.join(str(each.relative_to(ROOT)) for each in (path, markdown.PAGE, drawn))}"
    )


if __name__ == "__main__":
    main()
