"""From pieces to tokens, over a tokenizer that makes one token of each character."""

from __future__ import annotations

import pytest

from agent_runtime.engine.prompts import Prompts
from agent_runtime.engine.template import Piece
from agent_runtime.errors import PromptTooLong

BOS = 1


class Letters:
    """Implements `prompts.Vocabulary`; special text becomes negative numbers."""

    bos = BOS
    longest_piece = 2

    def __init__(self, adds_bos: bool = False) -> None:
        self.adds_bos = adds_bos
        self.read: list[str] = []

    def tokenize(self, text: str, special: bool) -> list[int]:
        self.read.append(text)
        return [-ord(letter) if special else ord(letter) for letter in text]


def _plain(text: str) -> tuple[Piece, ...]:
    return (Piece(text, special=False),)


def test_the_shared_beginning_is_counted_in_tokens() -> None:
    tokens, shared = Prompts(Letters(), 100).tokens(
        (Piece("<", True), Piece("ab", False)), (Piece(">", True),), 10
    )
    assert tokens == [-ord("<"), ord("a"), ord("b"), -ord(">")]
    assert shared == 3


def test_a_bos_that_the_model_wants_belongs_to_the_shared_beginning() -> None:
    assert Prompts(Letters(adds_bos=True), 100).tokens(_plain("a"), _plain("b"), 10) == (
        [BOS, ord("a"), ord("b")],
        2,
    )
    assert Prompts(Letters(adds_bos=True), 100).tokens((), _plain("b"), 10) == ([BOS, ord("b")], 0)


def test_a_bos_that_the_template_wrote_is_not_doubled() -> None:
    prompts = Prompts(Letters(adds_bos=True), 100)
    tokens, shared = prompts.tokens((Piece(chr(BOS), False),), _plain("b"), 10)
    assert tokens == [BOS, ord("b")]
    assert shared == 1


def test_room_for_the_reply_is_kept() -> None:
    prompts = Prompts(Letters(), 100)
    assert len(prompts.tokens((), _plain("a" * 80), 20)[0]) == 80
    with pytest.raises(PromptTooLong) as raised:
        prompts.tokens((), _plain("a" * 81), 20)
    assert (raised.value.tokens, raised.value.limit) == (81, 80)


def test_a_long_reply_claims_no_more_than_a_quarter() -> None:
    assert len(Prompts(Letters(), 100).tokens((), _plain("a" * 75), 1_000)[0]) == 75


def test_a_text_that_cannot_fit_is_refused_unread() -> None:
    letters = Letters()
    with pytest.raises(PromptTooLong):
        Prompts(letters, 100).tokens((), _plain("a" * 10_000_000), 20)
    assert letters.read == []


def test_the_same_persona_is_tokenised_once() -> None:
    letters = Letters()
    prompts = Prompts(letters, 100)
    for line in ("x", "y"):
        prompts.tokens(_plain("persona"), _plain(line), 10)
    assert letters.read == ["persona", "x", "y"]
