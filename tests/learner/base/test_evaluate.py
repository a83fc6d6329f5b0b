from __future__ import annotations

import json
from pathlib import Path

import msgspec

from agent_runtime.engine.interface import Chunk, Finish, ModelInfo, Request
from agent_runtime.errors import PromptTooLong
from exporters.gguf import export_base
from learner.base.cases import SLICES, Case, make_cases, save_cases
from learner.base.evaluate import ask, choose_cases, distinct, evaluate, report, summary, write_report
from learner.base.model import Llama
from learner.base.tokenize import Encoder
from learner.base.weights import save_base


class Echo:
    """An engine that repeats the player's line and, when it draws at random, the seed."""

    info = ModelInfo("echo", "", 0, 1024)

    async def start(self) -> None:
        return

    async def warm(self, messages: object) -> None:
        return

    async def close(self) -> None:
        return

    async def generate(self, request: Request):  # type: ignore[no-untyped-def]
        yield Chunk(request.messages[-1].content.splitlines()[-1].partition(": ")[2])
        if request.sampling.temperature:
            yield Chunk(str(request.sampling.seed % 2))
        yield Finish("stop", 0, 1, 0, 1, 0.0, 0.0)


def cases() -> list[Case]:
    return make_cases(2)["unknown"]


async def test_the_model_reads_the_rendered_turn() -> None:
    case = cases()[0]
    assert await ask(Echo(), case) == case.line


async def test_rows_tell_what_was_said_and_what_is_wrong() -> None:
    rows = await evaluate(Echo(), cases())
    assert [row["reply"] for row in rows] == [" ".join(case.line.split()) for case in cases()]
    assert all("does not sound as if it admits" in row["faults"] for row in rows)


async def test_distinct_replies_are_counted_over_seeds() -> None:
    assert await distinct(Echo(), cases(), draws=4) == 0.5


def test_scores_by_slice_and_actions_nobody_asked_for() -> None:
    rows = [
        {"slice": "recipe", "quiet": True, "faults": []},
        {"slice": "recipe", "quiet": True, "faults": ["action follow without being asked"]},
        {"slice": "action", "quiet": False, "faults": ["repeats itself"]},
    ]
    scores = summary(rows)
    assert scores["recipe"] == {"cases": 2, "good": 1, "share": 0.5}
    assert scores["unasked actions"] == {"cases": 2, "good": 1, "share": 0.5}
    assert scores["no repetition"]["good"] == 2
    assert scores["no machinery shown"]["good"] == 3


def test_a_real_engine_is_asked(toy: Llama, encoder: Encoder, tmp_path: Path) -> None:
    save_base(toy, encoder, tmp_path / "base")
    (tmp_path / "cases").mkdir()
    for name, made in make_cases(2).items():
        save_cases(tmp_path / "cases" / f"{name}.jsonl", made)
    gguf = export_base(tmp_path / "base", tmp_path / "toy.gguf")
    content = report(gguf, tmp_path / "cases", limit=1)
    assert content["scores"]["recipe"]["cases"] == 1
    assert len(content["rows"]) == len(SLICES)
    write_report(content, tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["model"] == "toy.gguf"


def test_cases_are_chosen_by_slice_in_all_wordings(tmp_path: Path) -> None:
    save_cases(tmp_path / "a.jsonl", make_cases(3)["uses"] + make_cases(3)["recipe"])
    save_cases(tmp_path / "b.jsonl", make_cases(3, new_wordings=False)["uses"])
    chosen = choose_cases(tmp_path, 2, ["uses"])
    assert [case.slice for case in chosen] == ["uses"] * 2 + ["uses, known wording"] * 2


async def test_asked_at_once_the_rows_keep_their_order() -> None:
    made = make_cases(6)["unknown"]
    rows = await evaluate(Echo(), made, at_once=4)
    assert [row["id"] for row in rows] == [case.id for case in made]


class Forgetful(Echo):
    """An engine whose context holds a single exchange of history."""

    async def generate(self, request: Request):  # type: ignore[no-untyped-def]
        if len(request.messages) > 4:
            raise PromptTooLong(2000, 904)
        yield Chunk(f"{len(request.messages)} messages")


async def test_a_talk_too_long_is_told_with_less_of_its_history() -> None:
    (case,) = make_cases(1)["long_memory"]
    case = msgspec.structs.replace(case, history=case.history * 2)
    assert await ask(Forgetful(), case) == "4 messages"
