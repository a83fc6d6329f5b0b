from __future__ import annotations

import json
from pathlib import Path

from agent_runtime.engine.interface import Chunk, Finish, ModelInfo, Request
from agent_runtime.errors import PromptTooLong
from exporters.gguf import export_base
from learner.base.cases import Case, make_cases, write_cases
from learner.base.evaluate import ask, distinct, evaluate, report, summary, write_report
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
        {"slice": "recipe", "faults": []},
        {"slice": "recipe", "faults": ["action follow without being asked"]},
        {"slice": "action", "faults": []},
    ]
    scores = summary(rows)
    assert scores["recipe"] == {"cases": 2, "good": 1, "share": 0.5}
    assert scores["unasked actions"] == {"cases": 2, "good": 1, "share": 0.5}


def test_a_real_engine_is_asked(toy: Llama, encoder: Encoder, tmp_path: Path) -> None:
    save_base(toy, encoder, tmp_path / "base")
    write_cases(tmp_path / "cases", 2)
    gguf = export_base(tmp_path / "base", tmp_path / "toy.gguf")
    content = report(gguf, tmp_path / "cases", limit=1)
    assert content["scores"]["recipe"]["cases"] == 1
    assert len(content["rows"]) == 11
    write_report(content, tmp_path / "scores.json")
    assert json.loads((tmp_path / "scores.json").read_text())["model"] == "toy.gguf"


class Forgetful(Echo):
    """An engine whose context holds a single exchange of history."""

    async def generate(self, request: Request):  # type: ignore[no-untyped-def]
        if len(request.messages) > 4:
            raise PromptTooLong(2000, 904)
        yield Chunk(f"{len(request.messages)} messages")


async def test_a_talk_too_long_is_told_with_less_of_its_history() -> None:
    case = next(case for cases in make_cases(8).values() for case in cases if len(case.history) == 4)
    assert await ask(Forgetful(), case) == "4 messages"
