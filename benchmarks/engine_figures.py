"""Samples of the engine's benchmark come in, figures with their goals go out."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from benchmarks.figures import Figure, percentile

_UNITS = {"decode": "1/s", "gb": "GB/s", "held": "talks", "adapter": "MB", "champion": "MB"}

# What a goal is set for. Without a suffix it is the embedded base's.
_GOALS = {
    "ttft_cached_ms_embedded": "<=3",
    "step_ms_10_npcs": "<=3",
    "decode_1_vs_raw_embedded": ">=0.95",
    "decode_1_vs_raw_0p5b": ">=0.98",
    "decode_16_vs_server": ">=2.3",
    "decode_16_vs_server_0p5b": ">=1.3",
    "ttft_p95_16_vs_server": "<=0.3",
    "ttft_p95_16_vs_server_0p5b": "<=0.5",
    "newcomer_vs_server": "<=0.3",
    "newcomer_vs_server_0p5b": "<=0.5",
    "decode_16_busy_vs_quiet_embedded": ">=0.6",
    "decode_16_busy_vs_quiet_0p5b": ">=0.6",
    "decode_1_champion_vs_base_embedded": ">=0.95",
    "decode_16_champion_vs_base_embedded": ">=0.95",
    "swap_gap_ms": "<=50",
    "swap_dropped": "<=0",
    "swap_dropped_0p5b": "<=0",
    "swap_stall_ms_0p5b": "<=50",
    "loop_delay_p99_ms": "<=5",
    "loop_delay_swap_p99_ms": "<=5",
}


class Samples:
    """Values by what was measured, of whom, on which model; in rounds, so that ratios pair up."""

    def __init__(self) -> None:
        self._values: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)

    def add(self, measure: str, peer: str, model: str, *values: float) -> None:
        """Note values of one round."""
        self._values[measure, peer, model] += values

    def of(self, measure: str, peer: str, model: str) -> list[float]:
        """All values, empty when it was not measured."""
        return self._values.get((measure, peer, model), [])

    def measured(self) -> list[tuple[str, str, str]]:
        """What was measured."""
        return sorted(self._values)

    def rows(self) -> list[tuple[str, str, str, list[float]]]:
        """All values, to be kept in a file; `add` takes each row back."""
        return [(*key, values) for key, values in sorted(self._values.items())]


def figures(samples: Samples) -> list[Figure]:
    """First the figures that have names of their own, then everything else that was measured."""
    found: list[Figure] = []

    def put(name: str, values: list[float], unit: str, value: float | None = None) -> None:
        if values:
            shown = median(values) if value is None else value
            found.append(Figure(name, shown, unit, len(values), _GOALS.get(name, "")))

    def ratio(name: str, model: str, upper: tuple[str, str], lower: tuple[str, str]) -> None:
        pairs = zip(samples.of(*upper, model), samples.of(*lower, model), strict=False)
        put(name, [ours / theirs for ours, theirs in pairs if theirs], "×")

    put("ttft_cached_ms_embedded", samples.of("ttft_cached_ms", "ours", "embedded"), "ms")
    put("ttft_cold_ms_embedded", samples.of("ttft_cold_ms", "ours", "embedded"), "ms")
    put("step_ms_10_npcs", [10_000 / rate for rate in samples.of("decode_10", "ours", "embedded")], "ms")
    for model in ("embedded", "0p5b"):
        plain = "" if model == "embedded" else f"_{model}"
        ratio(f"decode_1_vs_raw_{model}", model, ("decode_1", "ours"), ("decode_1", "raw"))
        ratio(f"decode_16_vs_raw_{model}", model, ("decode_16", "ours"), ("decode_16", "raw"))
        ratio(f"decode_1_vs_high_level_{model}", model, ("decode_1", "ours"), ("decode_1", "high_level"))
        ratio(f"decode_16_vs_high_level_{model}", model, ("decode_16", "ours"), ("decode_16", "high_level"))
        ratio(f"decode_1_vs_memory_{model}", model, ("decode_1", "ours"), ("decode_1", "memory"))
        ratio(f"decode_16_vs_server{plain}", model, ("decode_16", "ours"), ("decode_16", "server"))
        ratio(f"newcomer_vs_server{plain}", model, ("newcomer_ms", "ours"), ("newcomer_ms", "server"))
        for count in (4, 16, 50):
            first = {peer: samples.of(f"ttft_ms_{count}", peer, model) for peer in ("ours", "server")}
            late = {peer: percentile(values, 0.95) for peer, values in first.items() if values}
            if "ours" in late:
                put(f"ttft_p95_ms_{count}{plain}", first["ours"], "ms", late["ours"])
            if "server" in late:
                share = late["ours"] / late["server"]
                put(f"ttft_p95_{count}_vs_server{plain}", first["server"], "×", share)
        for count in (4, 16, 50):
            each = [rate / count for rate in samples.of(f"decode_{count}", "ours", model)]
            put(f"decode_each_of_{count}_ours_{model}", each, "1/s")
        for count in (1, 16):
            base = (f"decode_{count}_base", "ours")
            for lane in ("champion", "plain"):
                name = f"decode_{count}_{'champion' if lane == 'champion' else 'adapter'}_vs_base_{model}"
                ratio(name, model, (f"decode_{count}_{lane}", "ours"), base)
        for measure in ("ttft_cached_ms", "decode_1", "decode_16"):
            ratio(
                f"{measure.replace('_ms', '')}_apart_vs_here_{model}",
                model,
                (measure, "apart"),
                (measure, "here"),
            )
        quiet = ("decode_16_quiet", "ours")
        ratio(f"decode_16_busy_vs_quiet_{model}", model, ("decode_16_busy", "ours"), quiet)
        put(f"adapter_load_ms{plain}", samples.of("adapter_load_ms", "ours", model), "ms")
        put(f"swap_gap_ms{plain}", samples.of("swap_gap_ms", "ours", model), "ms")
        put(f"swap_quiet_ms{plain}", samples.of("swap_quiet_ms", "ours", model), "ms")
        swaps = zip(
            *(samples.of(name, "ours", model) for name in ("swap_gap_ms", "swap_quiet_ms")), strict=True
        )
        put(f"swap_stall_ms{plain}", [gap - quiet for gap, quiet in swaps], "ms")
        dropped = samples.of("swap_dropped", "ours", model)
        put(f"swap_dropped{plain}", dropped, "replies", sum(dropped))
        for measure in ("loop_delay_swap_p99_ms", "loop_delay_swap_max_ms"):
            put(f"{measure}{plain}", samples.of(measure, "ours", model), "ms")
    named = {"swap_gap_ms", "swap_quiet_ms", "swap_dropped", "adapter_load_ms"}
    of_ours = {"ttft_cached_ms", "ttft_cold_ms"}
    for measure, peer, model in samples.measured():
        values = samples.of(measure, peer, model)
        if measure.startswith("loop_delay_swap"):
            continue
        if measure.startswith(("loop_", "rss_", "held_")):
            plain = "" if model == "embedded" else f"_{model}"
            unit = "ms" if measure.startswith("loop_") else "MB" if measure.startswith("rss_") else "talks"
            put(measure + plain, values, unit)
        elif measure in named or (measure in of_ours and (peer, model) == ("ours", "embedded")):
            continue
        else:
            unit = "ms" if "_ms" in measure else _UNITS[measure.split("_")[0]]
            put(f"{measure}_{peer}_{model}", values, unit)
    return found
