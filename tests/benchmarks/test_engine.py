"""The engine's benchmark with the smallest settings: every part runs, and every named figure comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engine import Benchmark, Kept
from benchmarks.engine_figures import Samples, figures

# What QUALITY and docs/performance.md name, as far as the embedded base alone tells it.
NAMED = {
    "ttft_cached_ms_embedded",
    "ttft_cold_ms_embedded",
    "step_ms_10_npcs",
    "decode_1_vs_raw_embedded",
    "decode_16_vs_high_level_embedded",
    "ttft_p95_ms_4",
    "ttft_p95_ms_16",
    "ttft_p95_ms_50",
    "decode_each_of_16_ours_embedded",
    "adapter_load_ms",
    "adapter_rss_mb_ours_embedded",
    "champion_rss_mb_ours_embedded",
    "swap_gap_ms",
    "swap_quiet_ms",
    "swap_dropped",
    "loop_delay_p99_ms",
    "loop_delay_swap_p99_ms",
    "rss_mb_50_talks",
    "held_of_50_talks",
    "rss_growth_mb_100_requests",
}


def test_every_part_runs() -> None:
    benchmark = Benchmark(1, 1, {}, 100, quick=True)
    for part in benchmark.parts.values():
        part()
    found = {figure.name: figure for figure in figures(benchmark.samples)}
    assert set(found) >= NAMED
    assert found["swap_dropped"].value == 0
    assert found["held_of_50_talks"].value == 50


def test_a_run_that_was_cut_off_goes_on_with_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.engine.KEPT", tmp_path / "build" / "kept.json")
    with pytest.raises(SystemExit, match="no run to go on with"):
        Kept.read("")
    samples = Samples()
    samples.add("decode_1", "ours", "embedded", 1.5, 2.5)
    Kept("--rounds 5", {"cores": 2}).note("embedded", samples)
    again = Kept.read("--go-on")
    assert (again.parts, again.machine) == (["embedded"], {"cores": 2})
    assert again.rows == [["decode_1", "ours", "embedded", [1.5, 2.5]]]
