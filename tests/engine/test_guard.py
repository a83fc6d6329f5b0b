"""A sleeping grammar wakes and sleeps again where the text says so, whatever the tokens' borders."""

from __future__ import annotations

from agent_runtime.engine.guard import Guard
from agent_runtime.engine.interface import Grammar
from tests.support.backend import PlainBackend

LETTERS = Grammar("abcxy", begin="ab", end="xy")


class Words(PlainBackend):
    """Tokens are words; a word is allowed when all its letters are."""

    def __init__(self, *words: str) -> None:
        super().__init__(100)
        self.words = [word.encode() for word in words]

    def piece(self, token: int) -> bytes:
        return self.words[token]

    def accept(self, grammar: object, token: int) -> bool:
        assert isinstance(grammar, bytes)
        return set(self.piece(token)) <= set(grammar)


def _held(*words: str) -> list[bool]:
    backend = Words(*words)
    guard = Guard(backend, LETTERS)
    held = []
    for token in range(len(words)):
        guard.feed(token, backend.piece(token))
        held.append(guard.held is not None)
    guard.free()
    assert backend.samplers == 0
    return held


def test_it_holds_from_begin_to_end() -> None:
    assert _held("c", "a", "b", "c", "x", "y", "c") == [False, False, True, True, True, False, False]


def test_the_marks_may_lie_across_or_within_tokens() -> None:
    assert _held("ca", "bc", "cx", "yc", "c") == [False, True, True, False, False]
    assert _held("cabc", "xy", "ab") == [True, False, True]


def test_an_action_within_one_token_needs_no_holding() -> None:
    assert _held("abcxy", "c") == [False, False]


def test_the_end_and_the_next_beginning_may_share_a_token() -> None:
    assert _held("ab", "xya", "b", "xy") == [True, False, True, False]


def test_a_beginning_that_the_grammar_does_not_know_is_left_alone() -> None:
    assert _held("zab", "c", "xy", "ab") == [False, False, False, True]


def test_a_long_reply_without_a_beginning_keeps_little() -> None:
    backend = Words(*("c" * 5 for _ in range(200)))
    guard = Guard(backend, LETTERS)
    for token in range(200):
        guard.feed(token, backend.piece(token))
    assert guard.held is None
    assert len(guard._recent) <= 2


def test_a_grammar_that_cannot_be_read_holds_nothing(caplog: object) -> None:
    class Refusing(Words):
        def grammar(self, text: str) -> object:
            return None

    backend = Refusing("ab", "z")
    guard = Guard(backend, LETTERS)
    for token in range(2):
        guard.feed(token, backend.piece(token))
    assert guard.held is None
    guard.free()
