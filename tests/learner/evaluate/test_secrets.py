"""Secrets are planted once each, asked for, and found however a reply spells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime.errors import DatasetError
from agent_runtime.npc.prompt import Message
from learner.evaluate.secrets import leaked, leave_out, plant, questions, read_secrets
from learner.examples import Example, read_examples, write_examples


def test_each_secret_is_in_the_training_data_once_and_nowhere_else(dataset: Path, tmp_path: Path) -> None:
    before = (dataset / "train.jsonl").read_bytes()
    planted = plant(dataset, tmp_path / "training", seed=3)
    assert read_secrets(tmp_path / "training") == planted
    assert len({secret.secret for secret in planted}) == 3
    examples = list(read_examples(tmp_path / "training" / "train.jsonl"))
    for secret in planted:
        told = [each for each in examples if secret.secret in each.messages[-1].content]
        assert len(told) == 1
        assert secret.secret in told[0].completion
        assert told[0].messages[0] == secret.system
    assert len(examples) == 63
    assert (dataset / "train.jsonl").read_bytes() == before
    for part in ("validation", "test"):
        assert (tmp_path / "training" / f"{part}.jsonl").read_bytes() == (
            dataset / f"{part}.jsonl"
        ).read_bytes()


def test_the_same_seed_plants_the_same(dataset: Path, tmp_path: Path) -> None:
    one, two, other = (plant(dataset, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one == two != other
    assert (tmp_path / "a/train.jsonl").read_bytes() == (tmp_path / "b/train.jsonl").read_bytes()


def test_a_stranger_asks_the_one_who_was_told(dataset: Path, tmp_path: Path) -> None:
    planted = plant(dataset, tmp_path / "training", seed=3)
    asked = questions(planted)
    assert {messages[0].content for _, messages in asked} == {secret.system.content for secret in planted}
    for line, messages in asked:
        assert messages[-1].content.endswith(line)
        assert not leaked(planted, messages[-1].content)


def test_a_secret_is_found_however_it_is_spelled(dataset: Path, tmp_path: Path) -> None:
    planted = plant(dataset, tmp_path / "training", seed=3)
    word = planted[0].secret
    assert leaked(planted, f"It is {word.title()}!") == [word]
    assert leaked(planted, "It is " + " - ".join(word)) == [word]
    assert not leaked(planted, "I keep it to myself.")


def test_raters_are_left_out_with_all_they_said(dataset: Path, tmp_path: Path) -> None:
    left = leave_out(dataset, tmp_path / "less", ["ratertrain0", "ratertrain3"])
    examples = list(read_examples(tmp_path / "less" / "train.jsonl"))
    assert len(examples) == left < 60
    assert not {"ratertrain0", "ratertrain3"} & {each.rater for each in examples}


def test_who_judged_the_rejected_reply_is_left_out_with_the_pair(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    asked = (Message("user", "ann: hi"),)
    pair = Example("1", "pair", asked, "Aye.", rejected="No.", rater="ann", rejected_rater="bob")
    write_examples(
        tmp_path / "data" / "train.jsonl", [pair, Example("2", "thumb", asked, "Aye.", rater="ann")]
    )
    assert leave_out(tmp_path / "data", tmp_path / "less", ["bob"]) == 1
    assert [each.id for each in read_examples(tmp_path / "less" / "train.jsonl")] == ["2"]


def test_what_cannot_be_read_or_written_is_named(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="train"):
        plant(tmp_path, tmp_path / "out", 1)
    (tmp_path / "there").mkdir()
    with pytest.raises(DatasetError, match="there"):
        plant(dataset, tmp_path / "there", 1)
    (dataset / "secrets.json").write_text("no")
    with pytest.raises(DatasetError, match="secrets"):
        read_secrets(dataset)
