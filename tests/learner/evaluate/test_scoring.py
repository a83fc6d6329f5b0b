"""What the served file finds likely, against what it says and what it was made to say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agent_runtime.errors import AdapterError, ModelFileError
from agent_runtime.npc.prompt import Message
from learner.evaluate.scoring import Contender, Likely, Scorer, Text
from tests.support.models import chain_model, random_model

ASK = (Message("system", "You are Bo."), Message("user", "ann: hello"))


def known(found: list[Likely | None]) -> list[Likely]:
    assert all(found)
    return [likely for likely in found if likely]


def test_a_model_finds_what_it_always_says_likelier_than_anything_else(tmp_path: Path) -> None:
    path = chain_model(tmp_path / "chain.gguf", [b"A", b"y", b"e", b"."])
    with Scorer(path) as scorer:
        own, other = known(scorer.score(Contender(), [Text(ASK, "Aye."), Text(ASK, "Nay.")]))
    assert own.total / own.tokens > -0.1
    assert other.total / other.tokens < -1


def test_a_text_that_need_not_end_is_scored_by_its_words_alone(model: Path) -> None:
    with Scorer(model) as scorer:
        whole, open_ended = known(
            scorer.score(Contender(), [Text(ASK, "Aye."), Text(ASK, "Aye.", ends=False)])
        )
    assert open_ended.tokens == whole.tokens - 1
    assert open_ended.total > whole.total


def test_texts_that_begin_alike_are_scored_as_each_alone(model: Path, adapter: Path) -> None:
    long = (ASK[0], *(Message(role, "word " * 40) for role in ("user", "assistant")), ASK[1])
    texts = [
        Text(messages, reply)
        for messages in (ASK, long)
        for reply in ("Aye.", "I do not know that place.", "the river " * 6, "the river " * 40)
    ] * 2
    for contender in (Contender(), Contender(adapter, 0.5)):
        with Scorer(model) as scorer:
            together = known(scorer.score(contender, texts))
            alone = [known(scorer.score(contender, [text]))[0] for text in texts]
        assert [likely.tokens for likely in together] == [likely.tokens for likely in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.total == pytest.approx(other.total, rel=0.01)
            assert one.total < 0


def test_an_adapter_counts_by_its_scale(model: Path, adapter: Path) -> None:
    text = [Text(ASK, "Look over there, by the bridge.")]
    with Scorer(model) as scorer:
        bare, none, half, whole, again = (
            known(scorer.score(contender, text))[0].total
            for contender in (
                Contender(),
                Contender(adapter, 0.0),
                Contender(adapter, 0.5),
                Contender(adapter, 1.0),
                Contender(),
            )
        )
    assert bare == pytest.approx(none, rel=1e-3)
    assert bare == again
    assert len({round(value, 2) for value in (bare, half, whole)}) == 3


def test_what_cannot_be_scored_is_left_out(model: Path) -> None:
    huge = (ASK[0], Message("user", "river " * 3000))
    history = (ASK[0], *(Message(role, "the " * 1500) for role in ("user", "assistant")), ASK[1])
    told: list[int] = []
    with Scorer(model) as scorer:
        texts = [Text(ASK, ""), Text(huge, "Aye."), Text(ASK, "the river " * 900), Text(history, "Aye.")]
        found = scorer.score(Contender(), texts, told.append)
        short = known(scorer.score(Contender(), [Text(ASK, "Aye.")]))[0]
    assert found[:3] == [None, None, None]
    assert found[3] is not None
    assert math.isclose(found[3].total, short.total, rel_tol=0.01), (
        "told without the history that is too long"
    )
    assert told == [1]


def test_what_does_not_fit_the_base_is_refused(model: Path, adapter: Path, tmp_path: Path) -> None:
    other = random_model(tmp_path / "other.gguf", width=32)
    with Scorer(other) as scorer, pytest.raises(AdapterError):
        scorer.score(Contender(adapter), [Text(ASK, "Aye.")])
    with Scorer(model) as scorer, pytest.raises(AdapterError, match="no number"):
        scorer.score(Contender(adapter, math.nan), [Text(ASK, "Aye.")])
    with pytest.raises(ModelFileError):
        Scorer(tmp_path / "none.gguf")
