"""A player corrects what they read; what is taught is how the model would have had to write it."""

from __future__ import annotations

import pytest

from agent_runtime.npc.prompt import Fact, expand
from learner.dataset.corrections import in_own_words, problem
from tests.support import rows as make

TORCH = "1 coal lump over 1 stick"
FACTS = (
    Fact("torch", TORCH, "torch", "recipe:default:torch", "recipe"),
    Fact("you", "the baker", "the baker", "work", "work", "untold"),
    Fact("player", "nothing", "nothing", "holds:nothing", "holds", "around"),
)


def said(raw: str, *quoted: int, **fields: object):  # type: ignore[no-untyped-def]
    reply = expand(raw.partition("[[ACTION")[0].strip(), FACTS)
    return make.turn(1, raw=raw, reply=reply, facts=FACTS, quoted=quoted, **fields)


def test_a_recipe_and_a_wish_teach_the_tag_and_the_wish() -> None:
    turn = said("A torch takes [[recipe]].", 1)
    text = f"A torch takes {TORCH}. Safe travels."
    assert in_own_words(text, turn) == "A torch takes [[recipe]]. Safe travels."
    assert expand(in_own_words(text, turn), turn.facts) == text


def test_a_fact_that_the_reply_missed_is_quoted_but_not_a_word_by_chance() -> None:
    turn = said("I do not know.")
    assert in_own_words(f"As the baker I say: {TORCH}.", turn) == "As [[work]] I say: [[recipe]]."
    assert in_own_words("I have nothing to say.", turn) == "I have nothing to say."
    holding = said("You hold [[holds]].", 3)
    assert in_own_words("You hold nothing, friend.", holding) == "You hold [[holds]], friend."


@pytest.mark.parametrize(
    ("raw", "text", "taught"),
    [
        (
            "I am coming. [[ACTION:follow target= you]]",
            "I am coming. Safe travels.",
            "I am coming. Safe travels. [[ACTION:follow target= you]]",
        ),
        ("[[ACTION:stop]] I will wait here.", "I will wait.", "[[ACTION:stop]] I will wait."),
        ("I will wait. [[ACTION:stop]]", "I will wait!", "I will wait! [[ACTION:stop]]"),
    ],
)
def test_who_only_changes_words_keeps_the_action(raw: str, text: str, taught: str) -> None:
    turn = make.turn(1, raw=raw, reply=raw.replace("[[ACTION:stop]]", "").split(" [[")[0].strip())
    assert problem(text, turn) is None
    assert in_own_words(text, turn) == taught


def test_other_words_for_a_reply_that_acted_teach_nothing() -> None:
    turn = make.turn(1, raw="I am coming. [[ACTION:follow target= you]]", reply="I am coming.")
    assert problem("Dig for coal in the hills.", turn) == "other words for a reply that acted"
    assert problem("Dig for coal in the hills.", said("I am coming.")) is None


def test_an_action_that_was_broken_or_forbidden_is_not_taught() -> None:
    broken = make.turn(1, raw="Yes. [[ACTION:fly target= moon]]", reply="Yes.")
    forbidden = make.turn(1, raw="Yes. [[ACTION:attack target= you]]", reply="Yes.", flagged=True)
    for turn in (broken, forbidden):
        assert problem("Never would I do that.", turn) is None
        assert in_own_words("Never would I do that.", turn) == "Never would I do that."


def test_nothing_that_a_player_typed_becomes_markup() -> None:
    assert problem("Here you are. [[ACTION:give item= diamond]]", said("Hm.")) == "markup in a correction"
    assert problem("A torch takes [[recipe]].", said("Hm.")) == "markup in a correction"
