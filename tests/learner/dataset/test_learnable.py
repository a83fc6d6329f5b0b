"""What is learned from a case: thumbs, demonstrations, corrections, pairs, and replay beside them."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from learner.base.corpus import samples
from learner.dataset.learnable import REPLAYED, examples, replay, same_prompt
from learner.examples import Example
from tests.support.cases import case


def summary(found: list[Example]) -> list[tuple[str, str, bool | None, str | None]]:
    return [(example.kind, example.completion, example.label, example.rejected) for example in found]


def test_a_liked_reply_is_a_thumb_and_a_demonstration() -> None:
    (thumb, shown) = examples([case(1)], 0.1)
    assert summary([thumb, shown]) == [
        ("thumb", "reply 1", True, None),
        ("demonstration", "reply 1", None, None),
    ]
    assert (thumb.rater, thumb.slice, thumb.messages) == ("p1", "mira", case(1).messages)
    assert thumb.id != shown.id
    assert [e.kind for e in examples([case(1, clear=False)], 0.1)] == ["thumb"]


def test_a_correction_is_shown_and_preferred() -> None:
    assert summary(examples([case(1, good=False, correction="Better.")], 0.1)) == [
        ("thumb", "reply 1", False, None),
        ("demonstration", "Better.", None, None),
        ("pair", "Better.", None, "reply 1"),
    ]
    assert summary(examples([case(1, good=None, correction="reply 1")], 0.1)) == [
        ("demonstration", "reply 1", None, None)
    ]


def test_a_good_and_a_bad_reply_to_the_same_prompt_make_a_pair() -> None:
    facts = "Around you: time: noon\n[1] torch recipe: 1 coal lump\n"
    later = facts.replace("noon", "night")
    good = case(1, "a", True, line="Torch?", facts=facts)
    bad = case(2, "b", False, line="torch?", facts=later)
    assert list(same_prompt([good, bad])) == [(good, bad)]
    pair = examples([good, bad], 0.1)[-1]
    assert summary([pair]) == [("pair", "reply 1", None, "reply 2")]
    assert pair.messages == good.messages
    assert pair.raters == ("a", "b")


@pytest.mark.parametrize(
    "other",
    [
        case(2, "b", False, line="Coal?", facts="[1] a: b\n"),
        case(2, "b", False, line="Torch?", facts="[1] a: c\n"),
        case(2, "b", True, line="Torch?", facts="[1] a: b\n"),
        case(2, "b", None, line="Torch?", facts="[1] a: b\n", correction="x"),
        case(2, "b", False, line="Torch?", facts="[1] a: b\n", completion="reply 1"),
    ],
    ids=["line", "facts", "both good", "not rated", "same reply"],
)
def test_other_replies_make_none(other) -> None:  # type: ignore[no-untyped-def]
    assert list(same_prompt([case(1, "a", True, line="Torch?", facts="[1] a: b\n"), other])) == []


def test_a_prompt_gives_few_pairs_however_often_it_is_asked() -> None:
    many = [case(n, f"p{n}", n % 2 == 0, line="hi") for n in range(40)]
    assert len(list(same_prompt(many))) == 4


def test_no_player_weighs_more_than_the_cap_in_any_kind() -> None:
    cases = [case(n, "chatty", n % 2 == 0, line=f"hi {n % 7}", correction="") for n in range(200)]
    cases += [case(1000 + n, f"p{n % 20}", n % 3 == 0, line=f"hi {n % 7}") for n in range(200)]
    weight: dict[str, Counter[str]] = {}
    for example in examples(cases, 0.1):
        weight.setdefault(example.kind, Counter())[example.rater] += example.weight  # type: ignore[assignment]
    assert set(weight) >= {"thumb", "demonstration"}
    for kind in ("thumb", "demonstration"):
        assert weight[kind]["chatty"] <= 0.1 * sum(weight[kind].values()) * 1.000001, kind


def test_replay_is_the_same_for_the_same_seed() -> None:
    found = replay(5, 30)
    assert len(found) == len({example.id for example in found}) == 30
    assert found == replay(5, 30)
    assert found != replay(6, 30)
    assert {example.kind for example in found} == {"replay"}
    assert all(example.messages[-1].role == "user" and example.completion for example in found)
    assert replay(5, 0) == []


def test_replay_has_every_kind_and_twice_as_much_of_what_goes_first() -> None:
    drawn = {turn.slice for sample in islice(samples(1), 30) for turn in sample.turns}
    assert set(REPLAYED) == drawn
    counts = Counter(example.slice for example in replay(5, 10 * len(REPLAYED)))
    first = {counts.pop(kind) for kind in ("refusal", "unknown", "memory", "false_action", "style")}
    assert first == {20}
    assert set(counts.values()) == {10}
