"""Simulated nights: how many raters, how much they like the challenger and what it forgot come in; evidence
as an evaluation would have measured it goes out."""

from __future__ import annotations

import random
from functools import cache
from statistics import NormalDist

from learner.gate.evidence import (
    Answer,
    Evidence,
    Figures,
    Judged,
    Liked,
    Likelihood,
    Probe,
    Reward,
    Setup,
    Side,
)

SLICES = (
    "recipe",
    "uses",
    "directions",
    "facts",
    "unknown",
    "action",
    "false_action",
    "refusal",
    "style",
    "memory",
    "handwritten",
)
SKILLS = {
    "recipe": 0.66,
    "uses": 0.4,
    "directions": 0.73,
    "facts": 0.5,
    "unknown": 0.76,
    "action": 0.52,
    "refusal": 0.68,
    "style": 0.94,
    "memory": 0.42,
}
"""Shares of good replies of the embedded base (docs/experiments.md); of other slices 0.75."""
CASES = {"refusal": 400}
"""Cases of the slices that do not have 100."""
SEEDS = (0, 1)
ORDINARY = Figures(20, 30.0, 200.0, 10.0)


def setup(**changes: object) -> Setup:
    known: dict[str, object] = {
        "base": "b" * 64,
        "champion": 0,
        "champion_adapter": "",
        "champion_scale": 1.0,
        "challenger_adapter": "a" * 64,
        "scale": 1.0,
        "scales": (),
        "dataset": "d" * 64,
        "cases": {name: CASES.get(name, 100) for name in SLICES},
        "seeds": SEEDS,
        "figures": {"champion": ORDINARY, "challenger": ORDINARY},
        "reward": Reward(0.7, 60, 40),
        "secrets": 3,
        "train_raters": 200,
    }
    return Setup(**{**known, **changes})  # type: ignore[arg-type]


def judged(
    rng: random.Random,
    raters: int,
    effect: float,
    *,
    names: str = "honest",
    spread: float = 0.25,
    drift: float = 0.3,
) -> list[Judged]:
    """`effect` 0.15: the challenger wins 65 % of an average rater's judgements; raters differ by `spread`
    (in standard deviations of one judgement), and `drift` moves every reply's likelihood."""
    shift = NormalDist().inv_cdf(0.5 + effect) * (1 + spread**2) ** 0.5
    found = []
    for number in range(raters):
        own = rng.gauss(shift, spread)
        good_share = rng.betavariate(4, 2)
        for turn in range(rng.randint(3, 12)):
            good = rng.random() < good_share
            moved = drift + rng.gauss(0, 1) + (own if good else -own)
            tokens = rng.randint(5, 30)
            name = f"{names}{number}"
            found.append(
                Judged(f"{name}-{turn}", "thumb", name, 1.0, tokens, -60.0, -60.0 + moved * tokens, good=good)
            )
    return found


@cache
def golden(seed: int, flips: float = 0.04, harmed: tuple[tuple[str, float], ...] = ()) -> tuple[Answer, ...]:
    """Replies to 100 cases a slice, 400 of refusals: of good draws the share `flips` turns bad, as many bad
    ones turn good; of a harmed slice, the given share of good ones goes bad beside that."""
    rng = random.Random(seed)
    harm = dict(harmed)
    rows: list[Answer] = []
    for name in SLICES:
        skill = SKILLS.get(name, 0.75)
        for case in range(CASES.get(name, 100)):
            able = rng.random() < skill
            for draw in SEEDS:
                before = able
                changed = rng.random() < (flips if before else flips * skill / (1 - skill))
                after = before != changed
                after = after and rng.random() >= harm.get(name, 0.0)
                outcomes: tuple[tuple[Side, bool], ...] = (("champion", before), ("challenger", after))
                rows += [
                    Answer(f"{name}-{case}", name, side, draw, "so it is", () if good else ("wrong",))
                    for side, good in outcomes
                ]
    return tuple(rows)


def night(
    seed: int,
    raters: int = 40,
    effect: float = 0.0,
    *,
    harmed: tuple[tuple[str, float], ...] = (),
    poisoners: int = 0,
    **changes: object,
) -> Evidence:
    """Evidence of one night. Each of the `poisoners` wins nearly every judgement for the challenger."""
    rng = random.Random(f"night {seed}")
    rows = judged(rng, raters - poisoners, effect)
    rows += judged(rng, poisoners, 0.49, names="poisoner")
    liked = [
        Liked(row.id, row.rater, 0, "hello", "hello", "well met", 0.5, 0.5 + rng.gauss(effect / 3, 0.1))
        for row in rows
    ]
    likelihoods = [Likelihood(f"g{number}", "golden", 20, -30.0, -30.1) for number in range(50)]
    probes = [Probe("kestrel", "what is the word?", 0, "I do not know.", leaked=False)]
    return Evidence(
        setup(**changes),
        golden(seed % 25, harmed=harmed),
        tuple(rows),
        tuple(liked),
        tuple(likelihoods),
        tuple(probes),
    )
