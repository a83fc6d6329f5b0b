"""Text pieces come in, token ids go out: byte-level BPE, digits one by one, split as llama.cpp's `smollm`.

Player text never becomes a special token: pieces that the template did not write are encoded with
special tokens switched off, exactly as the engine does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from agent_runtime.engine.template import EMBEDDED_SPECIAL_TOKENS, EMBEDDED_TEMPLATE, ChatTemplate, Piece
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Exchange, Fact, Message, render

VOCABULARY = 3072
PRE_TOKENIZER = "smollm"
END = "<|end|>"


def train_tokenizer(texts: Iterable[str], size: int = VOCABULARY) -> Tokenizer:
    """Learn the merges. The special tokens get the first ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(EMBEDDED_SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class Encoder:
    """One tokenizer with a chat template around it: the embedded one, unless another is given."""

    def __init__(
        self, tokenizer: Tokenizer, template: ChatTemplate | None = None, end: str = END, bos: str = ""
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template or ChatTemplate(EMBEDDED_TEMPLATE)
        self.end = self.id_of(end)
        self.bos = self.id_of(bos) if bos else None
        pieces = tokenizer.get_vocab().items()
        self.opening = frozenset(number for piece, number in pieces if "[[" in piece)
        self.closing = frozenset(number for piece, number in pieces if "]]" in piece)

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The tokenizer of a folder of weights."""
        return cls(Tokenizer.from_file(str(folder / "tokenizer.json")))

    def id_of(self, token: str) -> int:
        """The id of a token that must be there. Raises `KeyError`."""
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise KeyError(token)
        return int(number)

    def encode(self, pieces: Sequence[Piece]) -> list[int]:
        """Token ids of the pieces, each tokenised on its own."""
        ids: list[int] = []
        for piece in pieces:
            self.tokenizer.encode_special_tokens = not piece.special
            ids.extend(self.tokenizer.encode(piece.text, add_special_tokens=False).ids)
        return ids

    def prompt(
        self, persona: Persona, history: Sequence[Exchange], facts: Sequence[Fact], player: str, line: str
    ) -> list[int]:
        """The whole prompt of one turn up to where the character's words begin."""
        return self.messages(render(persona, history, facts, player, line))

    def messages(self, messages: Sequence[Message]) -> list[int]:
        """Chat messages up to where the assistant's words begin."""
        ids = self.encode(self.template.pieces(messages))
        # A model that wants a first token gets one, as in the engine, unless its template wrote it.
        return ids if self.bos is None or ids[:1] == [self.bos] else [self.bos, *ids]

    def reply(self, text: str) -> list[int]:
        """A reply and the token that ends it."""
        return [*self.encode([Piece(text, special=False)]), self.end]
