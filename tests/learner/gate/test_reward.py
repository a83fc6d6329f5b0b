"""A small reward model learns what simulated raters like, says how well, and keeps its scores calibrated."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from agent_runtime.npc.prompt import Message
from learner.base.grammar import voices
from learner.examples import Example
from learner.gate.reward import NAMES, RewardModel, features, fit, judged

SMITH = Message("system", "You are Bo, the smith. Voice: gruff.\nRules.")
LINE = Message("user", "Around you: time: noon\n[where] river: 20 steps north\nann: where is the river")
NEUTRAL = ("It lies there.", "I am not sure where that is.", "So it goes with water", "The river is wide.")


def example(rng: random.Random, number: int, taste: float) -> Example:
    """Raters who like a quoted fact and dislike shouting, each with the strength `taste`."""
    quotes, shouts = rng.random() < 0.5, rng.random() < 0.5
    reply = rng.choice(NEUTRAL) + (" [[where]]." if quotes else "") + (" Ha!" if shouts else "")
    chance = 0.5 + taste * ((0.25 if quotes else -0.25) - (0.2 if shouts else -0.2))
    good = rng.random() < chance
    return Example(f"e{number}", "thumb", (SMITH, LINE), reply, label=good, rater=f"r{number % 25}")


def rated(seed: int, count: int, taste: float = 1.0) -> list[Example]:
    rng = random.Random(seed)
    return [example(rng, number, taste) for number in range(count)]


def test_features_count_what_they_are_named_for() -> None:
    named = dict(zip(NAMES, features((SMITH, LINE), "[[where]], ann! The river."), strict=False))
    assert named["quotes"] == 1
    assert named["names the player"] == 1
    assert named["exclamation"] == 1
    assert named["quotes nothing"] == named["quotes unasked"] == named["question"] == 0
    silent = dict(zip(NAMES, features((SMITH, LINE), "I do not know that."), strict=False))
    assert silent["quotes nothing"] == 1
    assert silent["admits"] == 1
    gruff = " ".join(voices()["gruff"]["openers"][:2])
    poetic = " ".join(voices()["poetic"]["openers"][:2])
    place = NAMES.index("fits the voice")
    assert features((SMITH, LINE), gruff)[place] > features((SMITH, LINE), poetic)[place]
    acting = dict(zip(NAMES, features((SMITH, LINE), "Come. [[ACTION:follow]]"), strict=False))
    assert acting["actions"] == 1
    broken = dict(zip(NAMES, features((SMITH, LINE), "[[ACTION:fly away]]"), strict=False))
    assert broken["faults of form"] > acting["faults of form"]


def test_a_taste_is_learned_and_told_on_unseen_raters() -> None:
    model = fit(rated(1, 400))
    assert model is not None
    area, good, bad = model.measure(rated(2, 300))
    assert good + bad == 300
    assert area > 0.75
    assert abs(model.seen_auc - area) < 0.1
    liked, disliked = model.rate((SMITH, LINE), ["It lies there. [[where]].", "It lies there. Ha!"])
    assert liked > 0.7 > 0.3 > disliked


def test_what_players_wrote_counts_as_good() -> None:
    bye = Message("user", "ann: bye")
    taught = rated(1, 200)
    for number in range(60):
        rater, said = f"r{number % 25}", f"Farewell number {number}."
        thumb = Example(f"b{number}", "thumb", (SMITH, bye), said, label=False, rater=rater)
        pair = Example(
            f"c{number}", "pair", (SMITH, bye), f"{said} Safe travels.", rejected=said, rater=rater
        )
        taught += [thumb, pair]
    model = fit(taught)
    assert model is not None
    bare, wished = model.rate((SMITH, bye), ["Farewell, stranger.", "Farewell, stranger. Safe travels."])
    assert wished > bare + 0.2
    area, good, _ = model.measure(taught)
    assert area > 0.7
    assert good == sum(bool(each.label) for each in taught) + 60


def test_what_a_player_wrote_counts_though_it_was_said_elsewhere() -> None:
    bye, leaving = Message("user", "ann: bye"), Message("user", "bob: i must go")
    liked = Example("1", "thumb", (SMITH, bye), "Safe travels.", label=True, rater="a")
    disliked = Example("2", "thumb", (SMITH, leaving), "Go.", label=False, rater="b")
    written = Example("3", "pair", (SMITH, leaving), "Safe travels.", rejected="Go.", rater="b")
    repeated = Example("4", "pair", (SMITH, bye), "Safe travels.", rejected="Go.", rater="a")
    assert [each.id for each in judged([liked, disliked, written, repeated])] == ["1", "2", "3"]


def test_scores_are_chances() -> None:
    model = fit(rated(3, 800))
    assert model is not None
    unseen = rated(4, 800)
    scores = np.array([model.rate(each.messages, [each.completion])[0] for each in unseen])
    labels = np.array([bool(each.label) for each in unseen])
    for low, high in ((0.0, 0.4), (0.4, 0.6), (0.6, 1.0)):
        inside = (scores >= low) & (scores < high)
        if inside.sum() > 60:
            assert abs(scores[inside].mean() - labels[inside].mean()) < 0.12


def test_without_a_taste_nothing_is_claimed() -> None:
    model = fit(rated(5, 300, taste=0.0))
    assert model is not None
    area, _, _ = model.measure(rated(6, 300, taste=0.0))
    assert 0.38 < area < 0.62
    spread = model.rate((SMITH, LINE), ["It lies there. [[where]].", "It lies there. Ha!"])
    assert abs(spread[0] - spread[1]) < 0.35


def test_too_few_of_a_kind_make_no_model() -> None:
    assert fit(rated(1, 30)) is None
    assert fit([]) is None
    assert fit([each for each in rated(1, 300) if each.label]) is None


def test_a_kept_model_rates_as_before(tmp_path: Path) -> None:
    model = fit(rated(1, 200))
    assert model is not None
    model.save(tmp_path / "reward.npz")
    again = RewardModel.load(tmp_path / "reward.npz")
    replies = ["It lies there.", "", "[[where]]!", "x" * 500]
    assert again.rate((SMITH, LINE), replies) == pytest.approx(model.rate((SMITH, LINE), replies))
