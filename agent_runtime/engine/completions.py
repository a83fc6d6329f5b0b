"""The words of the OpenAI chat API: a request goes in and a JSON body comes out; events and refusals of a
server go in and typed values come out. No network here.

Only what llama-server, vLLM, SGLang and Ollama all take, or ignore, is sent. A grammar is not: they disagree
about its form, and an action that is malformed never gets past the policy anyway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from agent_runtime.engine.interface import FinishReason, Request
from agent_runtime.errors import EngineBusy, EngineDown, EngineError, PromptTooLong

DONE = "[DONE]"

# OpenAI's own limit, which others copied; the stream is searched for all of them anyway.
_MOST_STOPS = 4
_BUSY = (429, 503)
_NUMBER = re.compile(r"\d+")
_LIMIT = re.compile(r"context length\D{0,12}(\d+)")
_TOO_LONG = re.compile(r"context[ _](length|size|window)|exceed_context", re.I)


class ServerFailed(EngineError):
    """The server failed in a way that another attempt may not."""


class ServerAway(ServerFailed, EngineDown):
    """The server cannot be reached, or went away in mid-reply."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    """The tokens of a reply, as the server counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    @property
    def cached(self) -> int:
        """Prompt tokens that were not computed again."""
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0


class Event(msgspec.Struct):
    """One event of a streamed reply."""

    choices: list[_Choice] = []
    usage: Usage | None = None
    error: Any = None

    @property
    def text(self) -> str:
        """What it adds to the reply."""
        return (self.choices[0].delta.content or "") if self.choices else ""

    @property
    def reason(self) -> FinishReason | None:
        """Why the reply ends here, when it does."""
        ended = self.choices[0].finish_reason if self.choices else None
        return None if not ended else "length" if ended == "length" else "stop"


class _Meta(msgspec.Struct):
    n_params: int | None = None
    n_ctx_train: int | None = None


class ServedModel(msgspec.Struct):
    """One entry of the server's list of models; what only some servers tell is 0 elsewhere."""

    id: str
    max_model_len: int | None = None
    meta: _Meta | None = None

    @property
    def context(self) -> int:
        """Tokens per talk."""
        return self.max_model_len or (self.meta and self.meta.n_ctx_train) or 0

    @property
    def parameters(self) -> int:
        """Weights of the model."""
        return (self.meta and self.meta.n_params) or 0


class _Models(msgspec.Struct):
    data: list[ServedModel]


class _Error(msgspec.Struct):
    message: str = ""
    type: Any = None
    code: Any = None
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Refusal(msgspec.Struct):
    error: _Error | str


def body(request: Request, model: str, seed: int) -> bytes:
    """The JSON of `POST /chat/completions` for this request."""
    sampling = request.sampling
    fields: dict[str, Any] = {
        "model": model,
        "messages": [
            # A lone surrogate has no UTF-8; anything else travels as it is.
            {"role": message.role, "content": message.content.encode("utf-8", "replace").decode()}
            for message in request.messages
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed,
    }
    if sampling.min_p > 0:
        fields["min_p"] = sampling.min_p
    if sampling.repeat_penalty != 1.0:
        # llama-server's name of it, and vLLM's and SGLang's.
        fields["repeat_penalty"] = fields["repetition_penalty"] = sampling.repeat_penalty
    if request.stop:
        fields["stop"] = list(request.stop[:_MOST_STOPS])
    return msgspec.json.encode(fields)


def event(data: str) -> Event:
    """One event from its JSON. Raises `EngineError` for garbage, and for an error told in mid-stream."""
    try:
        parsed = msgspec.json.decode(data, type=Event)
    except msgspec.DecodeError as error:
        raise EngineError(f"the server's stream is no chat completion: {error}") from error
    if parsed.error is not None:
        raise EngineError(f"the server failed in mid-reply: {str(parsed.error)[:300]}")
    return parsed


def models(status: int, data: bytes) -> list[ServedModel]:
    """The server's list of models. Raises `ServerAway` when it, or a proxy before it, cannot tell now, and
    `EngineError`."""
    if status >= 500:
        raise ServerAway(str(refusal(status, data)))
    if status != 200:
        raise refusal(status, data)
    try:
        return msgspec.json.decode(data, type=_Models).data
    except msgspec.DecodeError as error:
        raise EngineError(f"the server's list of models cannot be read: {error}") from error


def refusal(status: int, data: bytes) -> EngineError:
    """What a status other than 200 means for the one who asked."""
    try:
        told = msgspec.json.decode(data, type=_Refusal).error
    except msgspec.DecodeError:
        told = data.decode("utf-8", "replace").strip()
    error = told if isinstance(told, _Error) else _Error(message=told)
    why = error.message[:300] or "no reason given"
    if status in _BUSY:
        return EngineBusy(f"the server has no room (status {status}): {why}")
    if status >= 500:
        return ServerFailed(f"the server failed (status {status}): {why}")
    if status in (401, 403):
        return EngineError(f"the server refuses the key (status {status}); set engine.api_key: {why}")
    if status in (400, 413) and _TOO_LONG.search(f"{error.type} {error.code} {why}"):
        tokens = error.n_prompt_tokens or max(map(int, _NUMBER.findall(why)), default=0)
        limit = _LIMIT.search(why)
        return PromptTooLong(tokens, error.n_ctx or (int(limit[1]) if limit else 0))
    return EngineError(f"the server refuses the request (status {status}): {why}")


def check_encoding(headers: Mapping[str, str]) -> None:
    """Raises `EngineError` for an answer that came compressed: we ask for none, and unpacking it could fill
    the memory."""
    if headers.get("content-encoding", "identity") != "identity":
        raise EngineError("the server compresses although it was asked not to")


def reason(error: Exception) -> str:
    """What an error says, or its name where it says nothing."""
    return str(error) or type(error).__name__
