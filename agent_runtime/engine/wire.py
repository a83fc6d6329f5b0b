"""What the runtime and an engine in a process of its own tell each other: values come in, frames go out.

A frame is four bytes of length and a MessagePack list of messages: all orders of one turn of the event loop,
or all that came of one step. Both ends are ours and of one version; nobody else can write here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent_runtime.engine.interface import Finish, Lane, ModelInfo
from agent_runtime.engine.loading import Limits
from agent_runtime.engine.orders import Order
from agent_runtime.errors import EngineError, LaneUnknown, PromptTooLong

_LENGTH = struct.Struct("<I")


class Open(msgspec.Struct, array_like=True, tag=0):
    """Load this model; the first order of all."""

    path: Path
    limits: Limits


class Begin(msgspec.Struct, array_like=True, tag=1):
    """A reply to make, known as `id` from here on."""

    id: int
    order: Order


class Abandon(msgspec.Struct, array_like=True, tag=2):
    """End a reply without another word."""

    id: int


class LoadLane(msgspec.Struct, array_like=True, tag=3):
    """Make a lane ready; answered by `Done`."""

    id: int
    lane: Lane
    digest: str
    merged: Path | None


class UnloadLane(msgspec.Struct, array_like=True, tag=4):
    """Take a lane out of service; answered by `Done`."""

    id: int
    key: str


class Knock(msgspec.Struct, array_like=True, tag=5):
    """Answer from the engine's thread."""


class Quit(msgspec.Struct, array_like=True, tag=6):
    """End every reply, free the model, and end."""


Command = Open | Begin | Abandon | LoadLane | UnloadLane | Knock | Quit


class Fault(msgspec.Struct, array_like=True):
    """An `EngineError` on its way to the other process."""

    kind: str
    arguments: tuple[str | int, ...]


class Opened(msgspec.Struct, array_like=True, tag=0):
    """The model is ready, with its chat template and how that spells its own two tokens."""

    info: ModelInfo
    template: str
    bos: str
    eos: str


class Refused(msgspec.Struct, array_like=True, tag=1):
    """The model cannot be used."""

    fault: Fault


class Said(msgspec.Struct, array_like=True, tag=2):
    """More text of a reply."""

    id: int
    text: str


class Ended(msgspec.Struct, array_like=True, tag=3):
    """The end of a reply."""

    id: int
    finish: Finish


class Failed(msgspec.Struct, array_like=True, tag=4):
    """A reply that was not made, or not to its end."""

    id: int
    fault: Fault


class Done(msgspec.Struct, array_like=True, tag=5):
    """A lane was loaded or unloaded, or why not."""

    id: int
    fault: Fault | None


class Alive(msgspec.Struct, array_like=True, tag=6):
    """The engine's thread goes on: the answer to `Knock`, and told by itself out of a long batch."""


class Closed(msgspec.Struct, array_like=True, tag=7):
    """The model is freed."""


Answer = Opened | Refused | Said | Ended | Failed | Done | Alive | Closed


def _path(kind: type, value: Any) -> Any:
    return kind(value)


_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_commands = msgspec.msgpack.Decoder(list[Command], dec_hook=_path)
_answers = msgspec.msgpack.Decoder(list[Answer], dec_hook=_path)


def frame(messages: Sequence[Command] | Sequence[Answer]) -> bytes:
    """One frame with all these messages."""
    content = _encoder.encode(messages)
    return _LENGTH.pack(len(content)) + content


class Frames:
    """Cuts a stream of bytes into the contents of frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are now complete."""
        self._held += data
        found = []
        while len(self._held) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._held)[0]
            if len(self._held) < end:
                break
            found.append(bytes(self._held[_LENGTH.size : end]))
            del self._held[:end]
        return found


def commands(content: bytes) -> list[Command]:
    """The messages of a frame from the runtime."""
    return _commands.decode(content)


def answers(content: bytes) -> list[Answer]:
    """The messages of a frame from the engine."""
    return _answers.decode(content)


def fault(error: EngineError) -> Fault:
    """An error as it travels."""
    if isinstance(error, PromptTooLong):
        return Fault("PromptTooLong", (error.tokens, error.limit))
    if isinstance(error, LaneUnknown):
        return Fault("LaneUnknown", (error.key,))
    return Fault(type(error).__name__, (str(error),))


def error(told: Fault) -> EngineError:
    """The error that was sent."""
    return _KINDS[told.kind](*told.arguments)


def _kinds(kind: type[EngineError]) -> dict[str, type[EngineError]]:
    found = {kind.__name__: kind}
    for below in kind.__subclasses__():
        found |= _kinds(below)
    return found


_KINDS = _kinds(EngineError)
