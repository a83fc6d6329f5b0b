"""What the rest of the runtime knows of an engine: requests go in, text comes out as it is made.

No engine library is imported here. `service.LlamaEngine` is the real one; a test's engine implements
the same protocol in full.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

FinishReason = Literal["stop", "length", "deadline"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that serves. `digest` is the file's sha256 in hex; `context` is in tokens."""

    name: str
    digest: str
    parameters: int
    context: int


@dataclass(frozen=True, slots=True)
class Request:
    """One reply to make. The first `prefix` messages are shared by many requests, and their KV cache
    is kept. `deadline` is a time of `time.monotonic`: generation ends there."""

    messages: tuple[Message, ...]
    sampling: Sampling
    deadline: float
    prefix: int = 1
    stop: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some more text; never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a reply, with its figures: tokens, and milliseconds since the request was made. Where no
    token came, the first-token time is the total time."""

    reason: FinishReason
    seed: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first_token_ms: float
    total_ms: float


class Engine(Protocol):
    """Serves one model to many talks at once."""

    @property
    def info(self) -> ModelInfo:
        """The model that serves; known after `start`."""

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`."""

    async def warm(self, messages: tuple[Message, ...]) -> None:
        """Compute a shared prefix ahead of the first request that needs it."""

    async def close(self) -> None:
        """End every generation and free the model."""

    def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """Chunks and then one `Finish`. Closing the generator cancels within one step.
        Raises `EngineBusy` when too many wait, `PromptTooLong`, or `EngineError`."""
