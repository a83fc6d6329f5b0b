"""Two sides are asked the same of real engines; what they say is kept apart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from agent_runtime.config import share_dir
from agent_runtime.npc.persona import load_personas
from agent_runtime.npc.prompt import Message
from learner.evaluate.answers import (
    GREEDY,
    ask_cases,
    choose_cases,
    drawn,
    reply_all,
    say,
    speed,
)
from tests.support.voices import beside_base

CASES = share_dir() / "data" / "eval"


def test_every_slice_has_the_stated_number_of_cases() -> None:
    chosen = choose_cases(CASES, 7)
    counts = Counter(case.slice.partition(",")[0] for case in chosen)
    assert set(counts.values()) == {7}
    assert {"recipe", "refusal", "action", "handwritten"} <= set(counts)
    assert len({case.id for case in chosen}) == len(chosen)
    assert any("known wording" in case.slice for case in chosen)
    assert chosen == choose_cases(CASES, 7)


def test_all_cases_of_a_slice_where_nothing_may_be_lost_are_asked() -> None:
    chosen = choose_cases(CASES, 7, ("refusal",))
    counts = Counter(case.slice.partition(",")[0] for case in chosen)
    assert counts.pop("refusal") >= 100
    assert set(counts.values()) == {7}


def test_replies_are_drawn_as_players_meet_them() -> None:
    served = {persona.sampling.temperature for persona in load_personas(CASES.parent / "personas").values()}
    assert {drawn(seed).temperature for seed in (1, 2)} == served
    assert (drawn(2).seed, drawn(0)) == (2, GREEDY)


async def test_both_sides_answer_the_same_cases_with_the_same_seeds(model: Path, adapter: Path) -> None:
    cases = choose_cases(CASES, 1)[:3]
    told: list[int] = []
    async with beside_base(model, adapter) as voices:
        answers = await ask_cases(voices, cases, (0, 5), told.append)
    assert told[-1] == len(answers) == 12
    asked = {side: {(row.case, row.seed) for row in answers if row.side == side} for side in voices}
    assert asked["champion"] == asked["challenger"]
    assert all(row.faults for row in answers), "noise is no good reply"
    by_side = {side: [row.reply for row in answers if row.side == side] for side in voices}
    assert by_side["champion"] != by_side["challenger"]


async def test_prompts_are_answered_by_those_asked(model: Path, adapter: Path) -> None:
    prompt = (Message("system", "You are Bo."), Message("user", "ann: hello"))
    async with beside_base(model, adapter) as voices:
        said = await reply_all(voices, [prompt], (0, 1), lambda done: None)
        one = await reply_all({"challenger": voices["challenger"]}, [prompt], (0,), lambda done: None)
        long = (prompt[0], *(Message(role, "the " * 1500) for role in ("user", "assistant")), prompt[1])
        shortened = await say(*voices["challenger"], long, GREEDY)
        impossible = await say(*voices["challenger"], (prompt[0], Message("user", "the " * 5000)), GREEDY)
    assert set(said) == {(0, seed, side) for seed in (0, 1) for side in voices}
    assert one == {(0, 0, "challenger"): said[0, 0, "challenger"]}
    assert shortened.text == said[0, 0, "challenger"]
    assert impossible.finish is None


async def test_speed_is_measured_for_both(model: Path, adapter: Path) -> None:
    async with beside_base(model, adapter) as voices:
        found = await speed(voices, choose_cases(CASES, 1)[:4], {"champion": 0.0, "challenger": 2.5})
    assert set(found) == set(voices)
    for figures in found.values():
        assert figures.replies > 0
        assert figures.first_token_ms > 0
        assert figures.tokens_per_s > 0
    assert found["challenger"].memory_mb == 2.5
