"""What can go wrong around a real server and its players, each with what to do about it."""

from __future__ import annotations

from agent_runtime.errors import TownsfolkError


class DemoError(TownsfolkError):
    """Base of the errors of the demo, its server and its players."""


class EngineMissing(DemoError):
    """No Luanti server (or a library it needs) on this machine; the message says how to get it."""


class AddressUnusable(DemoError):
    """A server cannot listen on that address or port of this machine."""


class ServerFailed(DemoError):
    """The Luanti server or the runtime did not start or died; the message ends with the tail of its log."""


class AccessDenied(DemoError):
    """The server refused this player. `code` is the protocol's reason, `reason` says it in words."""

    def __init__(self, name: str, code: int, reason: str) -> None:
        self.name = name
        self.code = code
        self.reason = reason
        super().__init__(f"{name} was refused by the server: {reason}")


class ConnectionLost(DemoError):
    """The server stopped answering, or closed the connection."""


class NotSeen(DemoError):
    """Something that a player waited for did not happen in time."""


class SceneFailed(DemoError):
    """A step of the scripted scene did not work as it must."""
