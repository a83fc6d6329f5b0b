"""The statistics of a trial, by simulation: players with tastes of their own, steps of the share, peeking."""

from __future__ import annotations

import random

import pytest

from agent_runtime.registry.canary import SHARES
from agent_runtime.registry.evidence import Evidence, Side

ALPHA = 0.05


def outcome(seed: int, *, taste: float, difference: float, players: int) -> tuple[str, int]:
    """One trial, looked at after every single rater: what it came to, and after how many raters. `taste` is
    the share of replies of the champion that the average player likes."""
    rng = random.Random(seed)
    evidence = Evidence()
    for number in range(players):
        place, own = rng.random(), rng.gauss(taste, 0.25)
        share = SHARES[min(2, number * 8 // players)]
        side: Side | None = "challenger" if place < share else "champion" if place >= 0.5 else None
        if side is None:
            continue
        likes = own + difference * (side == "challenger")
        evidence.add(side, sum(rng.random() < likes for _ in range(3)) / 3)
        if evidence.for_better >= 1 / ALPHA:
            return "promote", evidence.raters
        if evidence.for_worse >= 1 / ALPHA:
            return "drop", evidence.raters
    return "nothing", evidence.raters


def shares(seeds: int, **world: float) -> dict[str, float]:
    found = [outcome(seed, **world)[0] for seed in range(seeds)]  # type: ignore[arg-type]
    return {name: found.count(name) / seeds for name in ("promote", "drop", "nothing")}


def test_without_a_difference_at_most_one_in_twenty_is_promoted() -> None:
    found = shares(1000, taste=0.7, difference=0, players=300)
    assert found["promote"] <= ALPHA
    assert found["drop"] <= ALPHA


def test_a_worse_one_is_never_promoted_and_mostly_dropped() -> None:
    found = shares(200, taste=0.75, difference=-0.25, players=300)
    assert found["promote"] == 0
    assert found["drop"] > 0.9


def test_a_better_one_is_found() -> None:
    assert shares(200, taste=0.55, difference=0.25, players=300)["promote"] > 0.9


def test_the_number_of_missing_raters_is_about_right() -> None:
    rng = random.Random(1)
    for difference in (0.2, 0.3):
        needed = []
        for _ in range(201):
            evidence = Evidence()
            while evidence.for_better < 1 / ALPHA:
                evidence.add("champion", float(rng.random() < 0.5))
                evidence.add("challenger", float(rng.random() < 0.5 + difference))
            needed.append(evidence.counts["challenger"])
        missing = Evidence().missing(difference, ALPHA)
        assert missing["challenger"] == missing["champion"]
        assert 0.7 < sorted(needed)[100] / missing["challenger"] < 1.3


def test_raters_of_one_side_that_wait_for_the_other_are_not_missing() -> None:
    rng = random.Random(1)
    evidence = Evidence()
    for _ in range(40):
        evidence.add("champion", float(rng.random() < 0.5))
    missing = evidence.missing(0.2, ALPHA)
    assert missing["challenger"] == missing["champion"] + 40


def test_it_sinks_as_evidence_grows_and_ends_at_none() -> None:
    evidence = Evidence()
    before = evidence.missing(0.25, ALPHA)["challenger"]
    for _ in range(12):
        evidence.add("champion", 0.2)
        evidence.add("challenger", 0.9)
    assert evidence.missing(0.25, ALPHA) == {"champion": 0, "challenger": 0}
    assert before > 0
    assert evidence.for_better > 20
    assert evidence.for_worse < 1


def test_one_side_alone_is_no_evidence() -> None:
    evidence = Evidence()
    for _ in range(50):
        evidence.add("challenger", 1.0)
    assert (evidence.for_better, evidence.for_worse) == (1, 1)
    evidence.add("champion", 0.0)
    assert 1 < evidence.for_better < 2, "fifty of one side and one of the other are one round"
    assert len(evidence.waiting["challenger"]) == 49


@pytest.mark.parametrize("scores", [(0.0, 1.0), (1.0, 0.0), (0.5, 0.5)])
def test_the_most_extreme_scores_are_borne(scores: tuple[float, float]) -> None:
    evidence = Evidence()
    for _ in range(2000):
        evidence.add("champion", scores[0])
        evidence.add("challenger", scores[1])
    assert evidence.for_better >= 0
    assert evidence.for_worse >= 0
