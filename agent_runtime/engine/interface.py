"""What the rest of the runtime knows of an engine: requests go in, text comes out as it is made.

No engine library is imported here. `service.LlamaEngine` is the real one; a test's engine implements
the same protocol in full.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal, Protocol

from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message

FinishReason = Literal["stop", "length", "deadline"]

BASE_LANE = ""
"""The lane of the bare base model, which is always there."""


class Priority(IntEnum):
    """Who waits: the lower number is served first."""

    PLAYER = 0
    CHATTER = 1
    BACKGROUND = 2


@dataclass(frozen=True, slots=True)
class Lane:
    """One version that serves: the shared base, and on it the adapter, scaled. The lane with the key
    `BASE_LANE` has none. `merged` asks for a copy of the base with the adapter merged in, which answers
    faster and takes the base's memory once more; large bases stay unmerged."""

    key: str
    adapter: Path | None = None
    scale: float = 1.0
    merged: bool = False


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that serves. `digest` is the file's sha256 in hex, empty where a server elsewhere does not
    tell; `context` is in tokens; `threads` is how many were chosen at the start for decoding, 0 elsewhere."""

    name: str
    digest: str
    parameters: int
    context: int
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a stretch of the reply must look like: it sleeps until the model has said `begin`, holds the
    model to the GBNF `text` up to `end`, and sleeps again. Tokens may reach over both ends, so the root
    rule must allow text before `begin` and after `end`. Engines may ignore it."""

    text: str
    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class Request:
    """One reply to make. The first `prefix` messages are shared by many requests, and their KV cache
    is kept. `deadline` is a time of `time.monotonic`: generation ends there.

    `lane` is the key of the version that answers. Requests with the same `talk` are turns of one talk,
    whose KV cache may be kept from turn to turn; nothing is kept for an empty one. Among those who wait,
    turns go round between players (`player`: any name for one).

    The same request with the same seed to the same lane is answered the same while nobody else talks and as
    much of its prompt is kept from before. Otherwise the model reads in other batches, which round otherwise,
    and a close draw may fall the other way."""

    messages: tuple[Message, ...]
    sampling: Sampling
    deadline: float
    prefix: int = 1
    stop: tuple[str, ...] = field(default=())
    lane: str = BASE_LANE
    talk: str = ""
    player: str = ""
    priority: Priority = Priority.PLAYER
    grammar: Grammar | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some more text; never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a reply, with its figures: tokens, and milliseconds since the request was made. Where no
    token came, the first-token time is the total time. `lane` is the version that made it."""

    reason: FinishReason
    seed: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first_token_ms: float
    total_ms: float
    lane: str = BASE_LANE


class Engine(Protocol):
    """Serves one base model, and any number of adapters on it, to many talks at once."""

    @property
    def info(self) -> ModelInfo:
        """The model that serves; known after `start`."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The versions that serve now: first the bare base, then in the order they were loaded."""

    async def start(self) -> None:
        """Load the model. Raises `ModelFileError`."""

    async def load(self, lane: Lane) -> None:
        """Check an adapter and make it ready; talks in progress go on meanwhile. Loading the same lane
        again does nothing; with another `merged`, new talks go to the new copy. Raises `AdapterError` with
        the reason why it cannot serve, and when another adapter already has this key."""

    async def unload(self, key: str) -> None:
        """Take a lane out of service: new requests for it are refused at once, those in progress end on
        it; returns when they have and its memory is free. Raises `LaneUnknown`, and `EngineError` for
        the bare base, which always serves."""

    async def warm(self, messages: tuple[Message, ...], lane: str = BASE_LANE, talk: str = "") -> None:
        """Read the beginning of a prompt ahead of the first request that needs it: a prefix that many
        share, or with `talk` the first message of one and the history of that talk (which an engine leaves
        undone while it is busy). Raises `LaneUnknown`."""

    async def close(self) -> None:
        """End every generation and free the model."""

    def generate(self, request: Request) -> AsyncGenerator[Chunk | Finish, None]:
        """Chunks and then one `Finish`. Closing the generator cancels within one step.
        Raises `EngineBusy` when too many wait, `PromptTooLong`, `LaneUnknown`, or `EngineError`."""
