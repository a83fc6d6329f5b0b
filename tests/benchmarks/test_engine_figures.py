"""Samples become figures with names, goals and paired ratios; what was not measured is not there."""

from __future__ import annotations

from benchmarks.engine_figures import Samples, figures
from benchmarks.figures import Figure


def of(samples: Samples) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures(samples)}


def test_ratios_are_taken_round_by_round_and_then_their_median() -> None:
    samples = Samples()
    for ours, raw in ((90, 100), (200, 400), (95, 100)):
        samples.add("decode_1", "ours", "embedded", ours)
        samples.add("decode_1", "raw", "embedded", raw)
    found = of(samples)
    assert (found["decode_1_vs_raw_embedded"].value, found["decode_1_vs_raw_embedded"].n) == (0.9, 3)
    assert found["decode_1_vs_raw_embedded"].reached is False
    assert found["decode_1_ours_embedded"].value == 95
    assert found["decode_1_raw_embedded"].unit == "1/s"


def test_what_was_not_measured_is_absent() -> None:
    samples = Samples()
    samples.add("ttft_cached_ms", "ours", "embedded", 2.0, 4.0, 2.5)
    assert list(of(samples)) == ["ttft_cached_ms_embedded"]
    assert of(samples)["ttft_cached_ms_embedded"].reached


def test_ten_npcs_are_told_as_milliseconds_for_each_step() -> None:
    samples = Samples()
    samples.add("decode_10", "ours", "embedded", 4_000, 5_000, 2_000)
    assert of(samples)["step_ms_10_npcs"].value == 2.5


def test_a_server_is_compared_by_its_p95_and_every_lost_reply_counts() -> None:
    samples = Samples()
    samples.add("ttft_ms_16", "ours", "embedded", *range(1, 101))
    samples.add("ttft_ms_16", "server", "embedded", *range(10, 1010, 10))
    samples.add("swap_dropped", "ours", "embedded", 0)
    samples.add("swap_dropped", "ours", "embedded", 2)
    found = of(samples)
    assert found["ttft_p95_ms_16"].value == 95
    assert found["ttft_p95_16_vs_server"].value == 0.1
    assert (found["swap_dropped"].value, found["swap_dropped"].reached) == (2, False)
