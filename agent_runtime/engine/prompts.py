"""From chat messages to token ids: rendered pieces come in, a prompt with its shared beginning goes out.

Only what the template wrote may become a special token. Runs on the engine's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from agent_runtime.engine.template import Piece
from agent_runtime.errors import PromptTooLong

_KEPT_PIECES = 512
_KEPT_LENGTH = 2_000


class Vocabulary(Protocol):
    """The tokenizer of a model."""

    bos: int
    adds_bos: bool
    longest_piece: int

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Token ids; special tokens count as such only with `special`."""


class Prompts:
    """Tokenises prompts for a context of `context` tokens."""

    def __init__(self, vocabulary: Vocabulary, context: int) -> None:
        self._vocabulary = vocabulary
        self._context = context
        # Templates, personas and the history's lines come again with every turn.
        self._again = lru_cache(_KEPT_PIECES)(vocabulary.tokenize)

    def tokens(self, shared: Sequence[Piece], rest: Sequence[Piece], reply: int) -> tuple[list[int], int]:
        """The prompt's tokens and how many of the first ones belong to `shared`.

        Raises `PromptTooLong` unless `reply` more tokens fit, or a quarter of the context where the
        reply may be longer than that.
        """
        limit = self._context - min(reply, self._context // 4)
        size = sum(len(piece.text) for piece in (*shared, *rest))
        if size > limit * self._vocabulary.longest_piece:
            # No tokenizer could make it fit, and a hostile text is not worth the time.
            raise PromptTooLong(size // self._vocabulary.longest_piece, limit)
        first = self._tokenize(shared)
        whole = first + self._tokenize(rest)
        beginning = len(first)
        if self._vocabulary.adds_bos and whole[:1] != [self._vocabulary.bos]:
            whole.insert(0, self._vocabulary.bos)
            beginning += bool(beginning)
        if len(whole) > limit:
            raise PromptTooLong(len(whole), limit)
        return whole, beginning

    def _tokenize(self, pieces: Sequence[Piece]) -> list[int]:
        tokens: list[int] = []
        for piece in pieces:
            tokenize = self._again if len(piece.text) <= _KEPT_LENGTH else self._vocabulary.tokenize
            tokens += tokenize(piece.text, piece.special)
        return tokens
