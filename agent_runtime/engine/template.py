"""A model's own chat template: chat messages come in, pieces of text go out.

Only pieces that the template itself wrote may hold special tokens (`special=True`). Message contents
never pass through the template engine: placeholders do, and the contents are put back afterwards as
plain pieces, so a chat-template token typed by a player is tokenised as ordinary text.

Templates come from model files, which may be hostile: they run in Jinja's sandbox (CVE-2024-34359).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent_runtime.errors import ModelFileError
from agent_runtime.npc.prompt import Message

EMBEDDED_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
EMBEDDED_SPECIAL_TOKENS = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")

_PLACEHOLDER = re.compile(r"\ue000(\d+)\ue001")
_MAX_TEMPLATE = 64 * 1024
_TODAY = datetime(2025, 1, 1)  # prompts are cached and trained on, so no day may change them
# gpt-oss chooses the channel of its reply itself, and would think in another one first.
# https://cookbook.openai.com/articles/openai-harmony
_REPLY = "<|start|>assistant"
_SPOKEN = "<|channel|>final<|message|>"
# llama.cpp takes these marks of gpt-oss for what they are wherever they stand (llama-vocab.cpp).
_MARK = re.compile(r"(?<=<)(?=\|(?:start|message|channel|constrain)\|>)")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the prompt; `special` says whether special tokens in it count as such."""

    text: str
    special: bool


class ChatTemplate:
    """One compiled template. Raises `ModelFileError` when the template cannot be used."""

    def __init__(self, source: str, bos_token: str = "", eos_token: str = "") -> None:
        if len(source) > _MAX_TEMPLATE:
            raise ModelFileError(f"the chat template is longer than {_MAX_TEMPLATE} characters")
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = _TODAY.strftime
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        self._channels = _SPOKEN in source
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise ModelFileError(f"the chat template cannot be read: {error}") from error

    def pieces(self, messages: Sequence[Message], generate: bool = True) -> tuple[Piece, ...]:
        """The rendered prompt. With `generate`, it ends where the assistant's words begin, which are to be
        those that the player reads: a model that thinks aloud is told not to."""
        return self.split(messages, 0, generate)[1]

    def split(
        self, messages: Sequence[Message], prefix: int, generate: bool = True
    ) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
        """The rendered prompt in two parts: what comes before message number `prefix`, and the rest.

        The first part is the same for all prompts whose first `prefix` messages are the same and
        whose next one has the same role.
        """
        rendered = self._render(messages, generate)
        before: list[Piece] = []
        after: list[Piece] = []
        part, end = (before if prefix else after), 0
        for match in _PLACEHOLDER.finditer(rendered):
            index = int(match.group(1))
            part.append(Piece(rendered[end : match.start()], special=True))
            if index >= prefix:
                part = after
            content = messages[index].content
            cut = _MARK.split(content) if self._channels else [content]
            part.extend(Piece(text, special=False) for text in cut)
            end = match.end()
        part.append(Piece(rendered[end:], special=True))
        return tuple(piece for piece in before if piece.text), tuple(piece for piece in after if piece.text)

    def _render(self, messages: Sequence[Message], generate: bool) -> str:
        """The prompt with a placeholder where each content goes."""
        contents = [(message.role, f"\ue000{index}\ue001") for index, message in enumerate(messages)]
        try:
            return self._attempt(contents, generate)
        except ModelFileError:
            # Some models know no system role; there the persona opens the first user message.
            if len(contents) < 2 or contents[0][0] != "system":
                raise
        (_, system), (role, first), *others = contents
        return self._attempt([(role, f"{system}\n\n{first}"), *others], generate)

    def _attempt(self, contents: Sequence[tuple[str, str]], generate: bool) -> str:
        stand_ins = [{"role": role, "content": content} for role, content in contents]
        try:
            rendered = self._template.render(
                messages=stand_ins, add_generation_prompt=generate, enable_thinking=False, **self._tokens
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise ModelFileError(f"the chat template fails: {error}") from error
        return rendered + _SPOKEN if self._channels and rendered.endswith(_REPLY) else rendered


def _raise(message: str) -> None:
    raise TemplateError(message)
